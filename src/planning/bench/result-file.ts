/** The file of `--json`. */
import { writeWholeFile } from '../whole-file.js';

/** False: it could not be written, and why stands on stderr. */
export function saveResult(path: string, record: object): boolean {
  try {
    writeWholeFile(path, `${JSON.stringify(record, null, 2)}\n`);
    return true;
  } catch (thrown) {
    process.stderr.write(`penstock: --json: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    return false;
  }
}
