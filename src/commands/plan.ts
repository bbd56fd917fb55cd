/** `penstock plan`: measures a model on this machine and says how many servers a load needs. */
import { messageOf } from '../errors.js';
import { EXIT_OK, EXIT_REFUSED, EXIT_TRY_AGAIN, EXIT_USAGE, exitCodeOf, exitCodeOfSignal } from '../lifecycle/exit-codes.js';
import type { ShutdownSignals } from '../lifecycle/shutdown-signals.js';
import { makePlan, type PlanEnd } from '../planning/plan/make-plan.js';
import { PRINT_PRICES } from '../planning/plan/plan-flags.js';
import { loadPlanOptions, type PlanOptions } from '../planning/plan/plan-options.js';
import { planTable } from '../planning/plan/plan-table.js';
import { verdictOf } from '../planning/plan/plan-verdict.js';
import { EXAMPLE_PRICES } from '../planning/plan/prices.js';
import { WriteFailure } from '../planning/whole-file.js';

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
    if (end.failure instanceof WriteFailure) return cannotWrite(options, end.failure);
    return stoppedWith ?? codeOf(end);
  } catch (thrown) {
    if (thrown instanceof WriteFailure) return cannotWrite(options, thrown);
    if (stoppedWith !== undefined && thrown === stop.signal.reason) return stoppedWith;
    throw thrown;
  }
}

function cannotWrite({ out }: PlanOptions, failure: WriteFailure): number {
  say(`--out: ${failure.message}; what was written until then is in "${out}"`);
  return EXIT_REFUSED;
}

function codeOf({ plan, failure }: PlanEnd): number {
  if (failure !== undefined) {
    say(messageOf(failure));
    return exitCodeOf(failure);
  }
  switch (verdictOf(plan)) {
    case 'below-lone-request':
    case 'none-meets-goal':
      say('no settings meet the goal on this machine');
      return EXIT_USAGE;
    case 'not-measured':
    case 'not-found':
      say('the time did not suffice to find settings that meet the goal: the same command with a larger --budget goes on');
      return EXIT_TRY_AGAIN;
    case 'chosen':
      if (plan.replicas !== null) return EXIT_OK;
      say(
        'the measurement does not suffice for a number of replicas: see the notes; on a quiet machine, or with a larger --budget, it may',
      );
      return EXIT_TRY_AGAIN;
  }
}

function say(message: string): void {
  for (const line of message.split('\n')) process.stderr.write(`penstock: ${line}\n`);
}
