/** What trials prove about the highest rate. More requests per second never mean fewer that miss the goal: all of them are read together. */
import { ServerError } from '../../errors.js';
import type { LoadResult } from '../load/load-generator.js';
import type { Estimate } from '../estimate.js';
import { dispersionOf, type Dispersion } from './dispersion.js';
import { allowedShare, leastOver, mostOver } from './early-stopping.js';
import type { LatencyGoal, Trial } from './trial.js';

/** Requests, and those of them that missed the goal: answered too late, or not at all, or wrongly. */
export interface Tally {
  readonly requests: number;
  readonly over: number;
}

export type Verdict = 'meets' | 'misses' | 'open';

/**
 * With 99 % confidence, or open, for misses of this dispersion (dispersion.ts): the counts are divided by it, so that they are those of
 * independent requests.
 */
export function verdictOf({ requests, over }: Tally, percentile: number, dispersion: number): Verdict {
  const effective = Math.floor(requests / dispersion);
  const most = mostOver(effective, percentile);
  if (most !== null && over / dispersion <= most) return 'meets';
  const least = leastOver(effective, percentile);
  return least !== null && over / dispersion >= least ? 'misses' : 'open';
}

/** Whether the share that was seen is one that the goal allows, which is likely right, and all that a search needs for its next step. */
export function isWithin({ requests, over }: Tally, percentile: number): boolean {
  return requests > 0 && over <= requests * allowedShare(percentile);
}

/** Throws `ServerError` for a result whose generator did not know the goal. */
export function tallyOf({ counts, goal_ms: countedMs }: LoadResult, { latencyMs }: LatencyGoal): Tally {
  if (countedMs !== latencyMs) throw new ServerError('ERR_INTERNAL', `answers after ${latencyMs} ms were not counted in this run`);
  return { requests: counts.requests, over: counts.misses + counts.late_answers };
}

export interface RateBounds {
  /** The highest rate that meets the goal; 0 = none is known to. */
  readonly low: number;
  /** The lowest rate that misses it; null = none is known to. */
  readonly high: number | null;
}

/** Of those in an open loop. */
export function dispersionAmong(trials: readonly Trial[], { percentile }: LatencyGoal): Dispersion {
  return dispersionOf(trials, percentile);
}

/** Counted as the independent requests that they are worth. */
interface Level extends Tally {
  /** From the lowest to the highest rate of those that are read as one. */
  readonly lowest: number;
  readonly highest: number;
}

/**
 * Both ends by runs that show it with 99 % confidence each, for misses as clustered as those of all trials (dispersion.ts). A run that the generator refused because it was late itself makes a server look worse, never
 * better, as latency counts from the intended moment: it may show that a rate meets the goal, where there is no better run at that rate,
 * and never that one misses it.
 */
export function rateBounds(trials: readonly Trial[], goal: LatencyGoal): RateBounds {
  const open = trials.filter(({ load }) => load.rate !== null);
  const sound = open.filter(({ result }) => result.refused === null);
  const soundRates = new Set(sound.map(({ load }) => load.rate));
  const best = open.filter(({ load, result }) => result.refused === null || !soundRates.has(load.rate));
  const dispersion = dispersionAmong(trials, goal);
  const says = (level: Level, verdict: Verdict): boolean => verdictOf(level, goal.percentile, 1) === verdict;
  // Where the goal is missed at a rate, it is at all higher ones, so that these speak for the rate, too; for a miss the lower ones do.
  const meets = levelsOf(best, goal, dispersion).findLast((level, i, all) =>
    runningSums(level, all.slice(i + 1)).some((sum) => says(sum, 'meets')),
  );
  const misses = levelsOf(sound, goal, dispersion).find((level, i, all) =>
    runningSums(level, all.slice(0, i).reverse()).some((sum) => says(sum, 'misses')),
  );
  const low = meets?.highest ?? 0;
  // They are of different runs, so they may contradict each other; nothing is known between them then.
  return { low, high: misses === undefined ? null : Math.max(low, misses.lowest) };
}

/** What a search has found, once there are more trials of the same settings than it has made: `trials` are all of them. */
export function withTrials(found: Estimate, trials: readonly Trial[], goal: LatencyGoal): Estimate {
  const { low } = rateBounds(trials, goal);
  return { value: Math.max(found.value, low), low, high: Math.max(found.high, low) };
}

function runningSums(level: Level, others: readonly Level[]): readonly Level[] {
  const sums = [level];
  let sum = level;
  for (const { requests, over } of others) {
    sum = { ...sum, requests: sum.requests + requests, over: sum.over + over };
    sums.push(sum);
  }
  return sums;
}

/** By rising rate with shares that never fall: neighbours that contradict this are read as one (pool adjacent violators). */
function levelsOf(trials: readonly Trial[], goal: LatencyGoal, dispersion: Dispersion): readonly Level[] {
  const levels: Level[] = [];
  for (const { load, result } of [...trials].sort((a, b) => (a.load.rate ?? 0) - (b.load.rate ?? 0))) {
    const rate = load.rate ?? 0;
    const { requests: sent, over: missed } = tallyOf(result, goal);
    const each = dispersion(rate);
    let level: Level = { requests: sent / each, over: missed / each, lowest: rate, highest: rate };
    for (let last = levels.at(-1); last !== undefined; last = levels.at(-1)) {
      if (last.highest < level.lowest && last.over * level.requests <= level.over * last.requests) break;
      levels.pop();
      const [requests, over] = [last.requests + level.requests, last.over + level.over];
      level = { requests, over, lowest: last.lowest, highest: level.highest };
    }
    levels.push(level);
  }
  return levels;
}
