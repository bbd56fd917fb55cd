/** Says now and then how far a download is. */
import type { Logger } from '../telemetry/log.js';

const INTERVAL_MS = 5000;

export interface ProgressFields {
  readonly bytes: number;
  readonly total_bytes?: number;
  readonly percent?: number;
  readonly bytes_per_second: number;
  readonly seconds_left?: number;
}

/** `addedBytes` came in the last `elapsedMs`; what is not known is left out. */
export function progressFields(bytes: number, totalBytes: number | null, addedBytes: number, elapsedMs: number): ProgressFields {
  const bytesPerSecond = elapsedMs > 0 ? Math.round((addedBytes * 1000) / elapsedMs) : 0;
  if (totalBytes === null) return { bytes, bytes_per_second: bytesPerSecond };
  const percent = totalBytes === 0 ? 100 : Math.floor((bytes * 100) / totalBytes);
  const secondsLeft = bytesPerSecond > 0 ? Math.ceil((totalBytes - bytes) / bytesPerSecond) : undefined;
  const known = { bytes, total_bytes: totalBytes, percent, bytes_per_second: bytesPerSecond };
  return secondsLeft === undefined ? known : { ...known, seconds_left: secondsLeft };
}

/** Logs `read` each few seconds until the function that is returned is called. */
export function startProgress(log: Logger, read: () => { readonly bytes: number; readonly totalBytes: number | null }): () => void {
  let [lastBytes, lastMs] = [read().bytes, performance.now()];
  const timer = setInterval(() => {
    const { bytes, totalBytes } = read();
    const nowMs = performance.now();
    // A download that begins anew has fewer bytes than before.
    log.info(progressFields(bytes, totalBytes, Math.max(0, bytes - lastBytes), nowMs - lastMs), 'pulling');
    [lastBytes, lastMs] = [bytes, nowMs];
  }, INTERVAL_MS);
  return () => clearInterval(timer);
}
