/** What trials prove about the highest rate. More requests per second never mean fewer that miss the goal: all of them are read together. */
import type { LoadResult } from '../load/load-generator.js';
import { allowedShare, leastOver, mostOver } from './early-stopping.js';
import type { LatencyGoal, Trial } from './trial.js';

/** Requests, and those of them that missed the goal: answered too late, or not at all, or wrongly. */
export interface Tally {
  readonly requests: number;
  readonly over: number;
}

export type Verdict = 'meets' | 'misses' | 'open';

/** With 99 % confidence, or open. */
export function verdictOf({ requests, over }: Tally, percentile: number): Verdict {
  const most = mostOver(requests, percentile);
  if (most !== null && over <= most) return 'meets';
  const least = leastOver(requests, percentile);
  return least !== null && over >= least ? 'misses' : 'open';
}

/** Whether the share that was seen is one that the goal allows, which is likely right, and all that a search needs for its next step. */
export function isWithin({ requests, over }: Tally, percentile: number): boolean {
  return over <= requests * allowedShare(percentile);
}

const SHARES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, p999: 0.999 } as const;

/**
 * As the generator has counted them, when it knew of this goal. Otherwise the shares beyond known latencies are those of the quantiles;
 * between two of them the tail is taken to fall off exponentially.
 */
export function tallyOf({ counts, goal_ms: countedMs, latency_ms: latency }: LoadResult, { latencyMs }: LatencyGoal): Tally {
  const { requests, misses } = counts;
  if (countedMs === latencyMs) return { requests, over: misses + counts.late_answers };
  if (requests === 0 || latencyMs >= latency.max_answered) return { requests, over: misses };
  const last = { at: latency.max_answered, beyond: Math.max(misses, 0.5) / requests };
  const points = [{ at: 0, beyond: 1 }];
  for (const name of Object.keys(SHARES) as (keyof typeof SHARES)[]) {
    const at = latency[name].value;
    // In small runs the far quantiles are all the slowest answer.
    if (at !== null && at < last.at) points.push({ at, beyond: 1 - SHARES[name] });
  }
  points.push({ at: last.at, beyond: Math.min(last.beyond, points.at(-1)?.beyond ?? 1) });
  const right = points.findIndex(({ at }) => at > latencyMs);
  const [from, to] = [points[right - 1], points[right]];
  if (from === undefined || to === undefined) return { requests, over: misses };
  const beyond = from.beyond * (to.beyond / from.beyond) ** ((latencyMs - from.at) / (to.at - from.at));
  return { requests, over: Math.max(misses, Math.round(beyond * requests)) };
}

export interface RateBounds {
  /** The highest rate that meets the goal; 0 = none is known to. */
  readonly low: number;
  /** The lowest rate that misses it; null = none is known to. */
  readonly high: number | null;
}

interface Level extends Tally {
  /** From the lowest to the highest rate of those that are read as one. */
  readonly lowest: number;
  readonly highest: number;
}

/**
 * Both ends with 99 % confidence each. A run that the generator refused because it was late itself makes a server look worse, never
 * better, as latency counts from the intended moment: it may show that a rate meets the goal, where there is no better run at that rate,
 * and never that one misses it.
 */
export function rateBounds(trials: readonly Trial[], goal: LatencyGoal): RateBounds {
  const open = trials.filter(({ load }) => load.rate !== null);
  const sound = open.filter(({ result }) => result.refused === null);
  const soundRates = new Set(sound.map(({ load }) => load.rate));
  const best = open.filter(({ load, result }) => result.refused === null || !soundRates.has(load.rate));
  const meets = levelsOf(best, goal).findLast((level) => verdictOf(level, goal.percentile) === 'meets');
  const misses = levelsOf(sound, goal).find((level) => verdictOf(level, goal.percentile) === 'misses');
  const low = meets?.highest ?? 0;
  // They are of different runs, so they may contradict each other; nothing is known between them then.
  return { low, high: misses === undefined ? null : Math.max(low, misses.lowest) };
}

/** By rising rate with shares that never fall: neighbours that contradict this are read as one (pool adjacent violators). */
function levelsOf(trials: readonly Trial[], goal: LatencyGoal): readonly Level[] {
  const levels: Level[] = [];
  for (const { load, result } of [...trials].sort((a, b) => (a.load.rate ?? 0) - (b.load.rate ?? 0))) {
    const rate = load.rate ?? 0;
    let level: Level = { ...tallyOf(result, goal), lowest: rate, highest: rate };
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
