/**
 * Unpacks a tar archive, gzip or not, into a folder of its own. Only plain files and folders below that folder are made, with the
 * permissions that every new file gets: no links, so no entry can lead another one outside, no devices, no owners, no times.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Parser, type ReadEntry } from 'tar';
import { ServerError } from '../errors.js';
import { freeBytes, syncFolder, targetFault } from './disk.js';
import { refused, reasonOf } from './source.js';

export interface UnpackOptions {
  /** Of all files together; 0 = what the disk has free. */
  readonly maxBytes: number;
  /** Before each entry: the lock's `hold`. */
  readonly mayWrite: () => Promise<void>;
}

/** A repository has some hundreds; each costs an inode and two syncs. */
const MAX_ENTRIES = 100_000;
const FILE_TYPES: ReadonlySet<string> = new Set(['File', 'OldFile', 'ContiguousFile']);
/** Where GNU tar and bsdtar put the pieces of a sparse file for those who do not know its own headers. */
const SPARSE_PIECES = /(^|\/)GNUSparseFile\.\d+\//;

/**
 * Resolves with the number of files and bytes once all is on the disk. `folder` exists and is empty; after a failure its contents are
 * worthless, and nothing is added to them any more. Rejects with ERR_PULL_REFUSED for what the archive holds, ERR_PULL_TARGET for the disk.
 */
export async function unpack(
  archive: string,
  folder: string,
  options: UnpackOptions,
  signal: AbortSignal,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const unpacking = new Unpacking(folder, options, await freeBytes(folder));
  const stream = createReadStream(archive, { highWaterMark: 1024 * 1024, signal });
  // Its own guard against bombs counts how well a file compresses; ours counts bytes, which is what a disk runs out of.
  // Left to itself it would also take zstd, which Node 20 lacks.
  const parser = new Parser({ strict: true, maxDecompressionRatio: Infinity, zstd: false });
  // An entry ends before its file is synced, so the next may come before the last is done.
  let last: Promise<void> = Promise.resolve();
  try {
    await new Promise<void>((resolve, reject) => {
      const inTurn = (step: () => Promise<void> | void): void => {
        last = last.then(step);
        last.catch(reject);
      };
      parser.on('entry', (entry: ReadEntry) => inTurn(() => unpacking.take(entry)));
      // What the parser leaves out by itself. Nobody wants a model without one of its files.
      parser.on('ignoredEntry', (entry: ReadEntry) => inTurn(() => unpacking.leaveOut(entry)));
      parser.on('error', (thrown: unknown) => reject(refused(`the archive cannot be read: ${reasonOf(thrown)}`, thrown)));
      parser.on('end', resolve);
      stream.on('error', reject);
      stream.pipe(parser);
    });
    await last;
    return await unpacking.finish();
  } catch (thrown) {
    unpacking.stop();
    await last.catch(() => {});
    signal.throwIfAborted();
    throw targetFault(`${folder} cannot be filled`, thrown);
  } finally {
    stream.destroy();
    if (!stream.closed) await once(stream, 'close');
  }
}

class Unpacking {
  readonly #folder: string;
  readonly #options: UnpackOptions;
  readonly #freeBytes: number;
  readonly #folders = new Set<string>();
  #isStopped = false;
  #reading: ReadEntry | undefined;
  #entries = 0;
  #files = 0;
  #bytes = 0;

  constructor(folder: string, options: UnpackOptions, freeBytes: number) {
    [this.#folder, this.#options, this.#freeBytes] = [folder, options, freeBytes];
  }

  async take(entry: ReadEntry): Promise<void> {
    await this.#options.mayWrite();
    this.#requireGoingOn();
    const shown = JSON.stringify(entry.path);
    if (++this.#entries > MAX_ENTRIES) throw refused(`the archive has more than ${MAX_ENTRIES} entries`);
    const path = safePath(entry.path);
    if (path === undefined) throw refused(`the archive has an entry outside of its folder: ${shown}`);
    if (entry.type === 'Directory') {
      await this.#makeFolder(path);
      entry.resume();
      return;
    }
    if (!FILE_TYPES.has(entry.type) || SPARSE_PIECES.test(path)) throw unfit(entry);
    if (path === '.') throw refused(`the archive has a file without a name: ${shown}`);
    this.#bytes += entry.size;
    this.#requireAllowed();
    await this.#makeFolder(dirname(path));
    await this.#write(entry, path);
    this.#files++;
  }

  /** Throws unless it is but the name of the archive. */
  leaveOut(entry: ReadEntry): void {
    if (entry.type !== 'TapeVolumeHeader') throw unfit(entry);
  }

  /** The entry that is being taken may have no end; those that follow are not taken. */
  stop(): void {
    this.#isStopped = true;
    this.#reading?.destroy();
  }

  async finish(): Promise<{ files: number; bytes: number }> {
    if (this.#files === 0) throw refused('the archive has no files');
    for (const folder of this.#folders) await syncFolder(join(this.#folder, folder));
    return { files: this.#files, bytes: this.#bytes };
  }

  async #write(entry: ReadEntry, path: string): Promise<void> {
    const file = await open(join(this.#folder, path), 'wx').catch((thrown: unknown) => Promise.reject(clash(thrown, path)));
    try {
      this.#requireGoingOn();
      this.#reading = entry;
      for await (const chunk of entry) await file.writeFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #makeFolder(path: string): Promise<void> {
    if (this.#folders.has(path)) return;
    await mkdir(join(this.#folder, path), { recursive: true }).catch((thrown: unknown) => Promise.reject(clash(thrown, path)));
    for (let at = path; at !== '.'; at = dirname(at)) this.#folders.add(at);
    this.#folders.add('.');
  }

  #requireGoingOn(): void {
    if (this.#isStopped) throw refused('stopped');
  }

  #requireAllowed(): void {
    const { maxBytes } = this.#options;
    if (maxBytes > 0 && this.#bytes > maxBytes)
      throw refused(`the archive unpacks to ${this.#bytes} bytes or more, and --max-bytes is ${maxBytes}`);
    if (this.#bytes <= this.#freeBytes) return;
    const message = `${this.#folder} has ${this.#freeBytes} bytes free, and the archive unpacks to ${this.#bytes} or more`;
    throw new ServerError('ERR_PULL_TARGET', message);
  }
}

/** Relative and without "." parts; undefined when it leads outside or is no name at all. */
export function safePath(path: string): string | undefined {
  if (path.startsWith('/') || path.includes('\0') || path.includes('\\')) return undefined;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return undefined;
  return parts.length === 0 ? '.' : parts.join('/');
}

function unfit({ path, type }: ReadEntry): Error {
  const isSparse = type === 'SparseFile' || SPARSE_PIECES.test(path);
  const fault = isSparse ? 'a sparse file; make it without --sparse' : 'an entry that is neither a file nor a folder';
  return refused(`the archive has ${fault}: ${JSON.stringify(path)} (${type})`);
}

function clash(thrown: unknown, path: string): Error {
  const { code = '' } = thrown as NodeJS.ErrnoException;
  const isTwice = code === 'EEXIST' || code === 'ENOTDIR';
  return isTwice
    ? refused(`the archive has two entries in one place: ${JSON.stringify(path)}`, thrown)
    : targetFault('an entry cannot be written', thrown);
}
