/** `penstock pull`: fetches a model into a folder, as the init container of a pod does. */
import { join } from 'node:path';
import { loadPullOptions, type PullOptions } from '../config/pull-options.js';
import { fileSource } from '../download/file-source.js';
import { httpsSource } from '../download/https-source.js';
import { placeFile } from '../download/place-file.js';
import { shownUri } from '../download/source.js';
import { EXIT_OK } from '../lifecycle/exit-codes.js';
import type { ShutdownSignals } from '../lifecycle/shutdown-signals.js';
import { createLogger } from '../telemetry/log.js';

/**
 * Resolves with the exit code once everything is in its place. A signal stops it at once: what has come stays for the next run, and the
 * promise rejects.
 */
export async function pull(args: readonly string[], signals: ShutdownSignals): Promise<number> {
  const options = loadPullOptions(args);
  const log = createLogger({ level: 'info', name: 'pull' });
  const stop = new AbortController();
  void signals.first.then((signal) => {
    log.info({ signal }, 'stopped; what has come is kept for the next run');
    stop.abort();
  });
  const sourceName = shownUri(options.source);
  const path = join(options.directory, options.target);
  log.info({ source: sourceName, path, attempts: options.attempts, checksum: options.sha256 !== null }, 'pulling');
  const request = { ...options, source: sourceOf(options), sourceName };
  if (options.isArchive) {
    const { placeArchive } = await import('../download/place-archive.js');
    await placeArchive(request, path, log, stop.signal);
  } else {
    await placeFile(request, path, log, stop.signal);
  }
  return EXIT_OK;
}

function sourceOf(options: PullOptions): ReturnType<typeof fileSource> {
  return options.source.protocol === 'file:' ? fileSource(options.source) : httpsSource(options.source, options);
}
