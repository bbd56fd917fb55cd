/** `penstock serve`: serves until a signal ends it. */
import { createLogger } from '../telemetry/log.js';
import { loadOptions } from '../config/load.js';
import { EXIT_OK } from '../lifecycle/exit-codes.js';
import type { ShutdownSignals } from '../lifecycle/shutdown-signals.js';
import { Server } from '../server.js';

/** Resolves with the exit code once the server has drained. Rejects with what ended it otherwise; everything is closed then. */
export async function serve(args: readonly string[], signals: ShutdownSignals): Promise<number> {
  const { options, warnings } = loadOptions(args);
  const log = createLogger({ level: options.logLevel, name: 'main' });
  for (const warning of warnings) log.warn(warning);
  const server = new Server(options, log);
  try {
    const stopped = Promise.race([signals.first, server.failed]);
    const started = server.start().then(() => stopped);
    const signal = await Promise.race([started, stopped]);
    log.info({ signal }, 'asked to stop');
    await server.drain(signals.hurry);
    return EXIT_OK;
  } catch (thrown) {
    await server.destroy();
    throw thrown;
  }
}
