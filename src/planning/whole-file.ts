/** Files that are whole or not there: what was at the path stays until all is written. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { messageOf } from '../errors.js';

/** A file or folder of a result cannot be written, whatever the reason: disk full, no right to, a file system that went read-only. */
export class WriteFailure extends Error {
  constructor(path: string, cause: unknown) {
    const why = messageOf(cause);
    super(why.includes(path) ? why : `${path}: ${why}`, { cause });
    this.name = 'WriteFailure';
  }
}

/** Throws `WriteFailure`; nothing of the new content is left then. */
export function writeWholeFile(path: string, content: string): void {
  const unfinished = `${path}.new`;
  try {
    writeFileSync(unfinished, content);
    renameSync(unfinished, path);
  } catch (thrown) {
    rmSync(unfinished, { force: true });
    throw new WriteFailure(path, thrown);
  }
}
