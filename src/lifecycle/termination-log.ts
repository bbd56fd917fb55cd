/** The line that `kubectl describe pod` shows as the reason of an exit. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

/** Kubernetes reads no more than this. */
const MAX_BYTES = 4096;

/** Replaces the line; empty text takes it back. Only an existing file is written: outside Kubernetes there is none, and none is made. Never throws. */
export function writeTerminationLog(text: string, path = '/dev/termination-log'): void {
  try {
    const file = openSync(path, 'r+');
    try {
      const line = Buffer.from(text === '' ? '' : `${text.replaceAll('\n', '; ')}\n`).subarray(0, MAX_BYTES);
      // Positioned, so that a line that was not taken back is gone only once the next one stands.
      writeSync(file, line, 0, line.length, 0);
      ftruncateSync(file, line.length);
    } finally {
      closeSync(file);
    }
  } catch {
    // The log has the same line; there is nobody else to tell.
  }
}
