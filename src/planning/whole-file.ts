/** Files that are whole or not there: what was at the path stays until all is written. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Throws what the system says (ENOSPC, EACCES ...); nothing of the new content is left then. */
export function writeWholeFile(path: string, content: string): void {
  const unfinished = `${path}.new`;
  try {
    writeFileSync(unfinished, content);
    renameSync(unfinished, path);
  } catch (thrown) {
    rmSync(unfinished, { force: true });
    throw thrown;
  }
}
