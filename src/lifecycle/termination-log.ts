/** The line that `kubectl describe pod` shows as the reason of an exit. */
import { closeSync, openSync, writeSync } from 'node:fs';

/** Kubernetes reads no more than this. */
const MAX_BYTES = 4096;

/** Writes one line. Only an existing file is written: outside Kubernetes there is none, and none is made. Never throws. */
export function writeTerminationLog(text: string, path = '/dev/termination-log'): void {
  try {
    const file = openSync(path, 'r+');
    try {
      const line = Buffer.from(`${text.replaceAll('\n', '; ')}\n`);
      writeSync(file, line.subarray(0, MAX_BYTES));
    } finally {
      closeSync(file);
    }
  } catch {
    // The log has the same line; there is nobody else to tell.
  }
}
