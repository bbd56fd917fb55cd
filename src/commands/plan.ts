/** `penstock plan`: measures a model on this machine and says how many servers a load needs. */
import { asServerError } from '../errors.js';
import { EXIT_OK, EXIT_REFUSED, EXIT_TRY_AGAIN, EXIT_USAGE, exitCodeOf, exitCodeOfSignal } from '../lifecycle/exit-codes.js';
import type { ShutdownSignals } from '../lifecycle/shutdown-signals.js';
import { makePlan, type PlanEnd } from '../planning/plan/make-plan.js';
import { isWriteFailure } from '../planning/plan/plan-folder.js';
import { loadPlanOptions, PRINT_PRICES } from '../planning/plan/plan-options.js';
import { planTable } from '../planning/plan/plan-table.js';
import { EXAMPLE_PRICES } from '../planning/plan/prices.js';

/**
 * Writes the table to `write`, progress to stderr, the files into the folder. Resolves with the exit code. A signal ends the measuring; the plan
 * is made of what there is. Throws `OptionsError`, and what keeps the model from being served.
 */
export async function plan(args: readonly string[], write: (text: string) => void, signals: ShutdownSignals): Promise<number> {
  if (args.includes(PRINT_PRICES)) {
    write(EXAMPLE_PRICES.trimEnd());
    return EXIT_OK;
  }
  const options = loadPlanOptions(args);
  const stop = new AbortController();
  let stoppedWith: number | undefined;
  void signals.first.then((signal) => {
    stoppedWith = exitCodeOfSignal(signal);
    stop.abort();
  });
  try {
    const end = await makePlan(options, stop.signal, process.stderr);
    write(planTable(end.plan));
    return stoppedWith ?? codeOf(end);
  } catch (thrown) {
    if (stoppedWith !== undefined && stop.signal.aborted && thrown === stop.signal.reason) return stoppedWith;
    if (!isWriteFailure(thrown)) throw thrown;
    say(`--out: ${thrown.message}; what was written until then is in "${options.out}"`);
    return EXIT_REFUSED;
  }
}

function codeOf({ plan: { chosen, replicas }, failure }: PlanEnd): number {
  if (failure !== undefined) {
    say(asServerError(failure).message);
    return exitCodeOf(failure);
  }
  if (chosen === null) {
    say('no settings meet the goal on this machine');
    return EXIT_USAGE;
  }
  if (replicas !== null) return EXIT_OK;
  say('the measurement does not suffice for a number of replicas: see the notes; on a quiet machine, or with a larger --budget, it may');
  return EXIT_TRY_AGAIN;
}

function say(message: string): void {
  process.stderr.write(`penstock: ${message}\n`);
}
