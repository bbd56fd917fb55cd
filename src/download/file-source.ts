/** A file of another volume, such as a claim that is copied to the node's own disk. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ServerError } from '../errors.js';
import { refused, reasonOf, shownUri, tryAgain, type OpenedSource, type Resume, type Source } from './source.js';

const CHUNK_BYTES = 1024 * 1024;
/** Those that say what the operator must mend; others, such as a network volume that does not answer, may pass. */
const PERMANENT = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ENAMETOOLONG']);

export function fileSource(uri: URL): Source {
  return async (resume: Resume | null, signal: AbortSignal): Promise<OpenedSource> => {
    const shown = shownUri(uri);
    const fault = (thrown: unknown): Error => {
      if (thrown instanceof ServerError) return thrown;
      const message = `${shown} cannot be read: ${reasonOf(thrown)}`;
      const isPermanent = PERMANENT.has((thrown as NodeJS.ErrnoException).code ?? '') || thrown instanceof TypeError;
      return isPermanent ? refused(message, thrown) : tryAgain(message, { cause: thrown });
    };
    try {
      // A FIFO would keep the call until somebody writes to it.
      const file = await open(fileURLToPath(uri), constants.O_RDONLY | constants.O_NONBLOCK);
      const status = await file.stat({ bigint: true });
      if (!status.isFile()) {
        await file.close();
        throw refused(`${shown} is ${status.isDirectory() ? 'a folder' : 'no plain file'}: only files and archives have a checksum`);
      }
      const validator = `${status.dev}-${status.ino}-${status.size}-${status.mtimeNs}`;
      const canResume = resume !== null && (resume.validator === validator || resume.validator === '');
      const offsetBytes = canResume && resume.offsetBytes <= Number(status.size) ? resume.offsetBytes : 0;
      const stream = file.createReadStream({ start: offsetBytes, highWaterMark: CHUNK_BYTES });
      signal.addEventListener('abort', () => stream.destroy(), { once: true });
      return { offsetBytes, totalBytes: Number(status.size), validator, body: bytesOf(stream, fault) };
    } catch (thrown) {
      throw fault(thrown);
    }
  };
}

async function* bytesOf(stream: AsyncIterable<Buffer>, fault: (thrown: unknown) => Error): AsyncIterable<Buffer> {
  try {
    yield* stream;
  } catch (thrown) {
    throw fault(thrown);
  }
}
