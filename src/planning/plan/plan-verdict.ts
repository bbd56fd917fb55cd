/** What the search of a plan came to. */
import type { Plan } from './plan.js';

/**
 * not-measured: stopped or failed before the first trial. below-lone-request: no settings can meet the goal. none-meets-goal: all were
 * searched to the end. not-found: the search ended before it found any that meet the goal, and there may be some.
 */
export type Verdict = 'chosen' | 'not-measured' | 'below-lone-request' | 'none-meets-goal' | 'not-found';

export function verdictOf({
  chosen,
  candidates,
  loneRequestMs,
  isComplete,
  goal,
}: Pick<Plan, 'chosen' | 'candidates' | 'loneRequestMs' | 'isComplete' | 'goal'>): Verdict {
  if (chosen !== null && chosen.rate.value > 0) return 'chosen';
  if (loneRequestMs === null && candidates.every(({ trials }) => trials === 0)) return 'not-measured';
  if (loneRequestMs !== null && loneRequestMs > goal.latencyMs) return 'below-lone-request';
  const isEachSearched = candidates.every(({ state }) => state === 'finished' || state === 'given-up');
  return isComplete && candidates.length > 0 && isEachSearched ? 'none-meets-goal' : 'not-found';
}
