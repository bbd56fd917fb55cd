/** How a failure that ends the process is told: to the log, and to Kubernetes. */
import { OptionsError } from '../config/load.js';
import { asServerError, messageOf } from '../errors.js';
import { createLogger } from '../telemetry/log.js';
import { EXIT_SOFTWARE, exitCodeOf } from './exit-codes.js';
import { writeTerminationLog } from './termination-log.js';

/** `event`: what happened, such as "uncaughtException". Returns the exit code that belongs to the failure. */
export function reportFailure(thrown: unknown, event: string): number {
  const exitCode = exitCodeOf(thrown);
  if (thrown instanceof OptionsError) {
    // Somebody is typing a command line, and the options that say how to log are what is wrong.
    for (const fault of thrown.faults) process.stderr.write(`penstock: ${fault}\n`);
  } else {
    const log = createLogger({ level: 'fatal', name: 'main' });
    const fields = { code: asServerError(thrown).code, exit_code: exitCode, event };
    // What the operator can mend is one sentence; what we must mend needs its stack and its causes.
    if (exitCode === EXIT_SOFTWARE) log.fatal({ ...fields, err: thrown }, messageOf(thrown));
    else log.fatal(fields, messageOf(thrown));
  }
  writeTerminationLog(`exit code ${exitCode}: ${messageOf(thrown)}`);
  return exitCode;
}
