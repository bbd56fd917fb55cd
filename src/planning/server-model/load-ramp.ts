/** Whether the headroom lasts until a further replica is ready: a load that rises meanwhile, simulated. */
import { uniformNumbers } from '../load/sample-tensors.js';
import type { LatencyGoal } from '../measure/trial.js';
import type { ServerSettings } from '../server-settings.js';
import type { FittedServer } from './fitted-server.js';
import { missShare, simulationJob, type LoadKind, type Simulate } from './simulation-job.js';

export interface RampOptions extends LoadKind {
  readonly fitted: FittedServer;
  readonly settings: ServerSettings;
  readonly goal: LatencyGoal;
  /** Requests per second of one replica, from the moment at which another one is asked for to that at which it is there. */
  readonly fromRate: number;
  readonly toRate: number;
  readonly seconds: number;
  readonly simulate: Simulate;
}

export interface Ramp {
  /** The load that one replica gets rises by so much of its target rate a second. */
  readonly growthPerSecond: number;
  /** Of the whole ramp; null: too many have no answer. */
  readonly p99Ms: number | null;
  readonly missShare: number;
  readonly isMet: boolean;
}

/** Of one job. Where a ramp has more, its last part is simulated, which is the hard one. */
const MOST_REQUESTS = 200_000;
const SEEDS = 4;

/** The load rises in a straight line, Poisson arrivals whatever the kind; the goal holds when it does over the whole ramp, seeds together. */
export async function rampUp(options: RampOptions): Promise<Ramp> {
  const { fromRate, toRate, seconds, goal } = options;
  const jobs = Array.from({ length: SEEDS }, (_, i) => {
    const seed = options.seed + i;
    const momentsS = rampMoments(fromRate, toRate, seconds, seed);
    // Run times are those at the highest rate.
    const load = { ...options, arrivals: 'poisson', seed, rate: toRate, requests: 1, servers: 1, goalMs: goal.latencyMs };
    const job = simulationJob(options.fitted, options.settings, load);
    return { ...job, arrivals: { ...job.arrivals, kind: 'trace' as const, momentsS, lengthS: seconds }, warmUpS: 0 };
  });
  const results = await options.simulate(jobs);
  const requests = results.reduce((sum, result) => sum + result.requests, 0);
  const missed = results.reduce((sum, result) => sum + missShare(result) * result.requests, 0);
  const p99s = results.map(({ latencyMs }) => latencyMs.p99);
  const share = requests === 0 ? 0 : missed / requests;
  return {
    growthPerSecond: (toRate / fromRate - 1) / seconds,
    p99Ms: p99s.every((p99) => p99 !== null) ? Math.max(...p99s) : null,
    missShare: share,
    isMet: share <= 1 - goal.percentile / 100,
  };
}

/** A Poisson process whose rate rises in a straight line: a steady one of rate 1, with time stretched (inverse of the mean count). */
export function rampMoments(fromRate: number, toRate: number, seconds: number, seed: number): number[] {
  const total = (seconds * (fromRate + toRate)) / 2;
  const uniform = uniformNumbers(seed);
  const slope = (toRate - fromRate) / seconds;
  const moments: number[] = [];
  for (let count = Math.max(0, total - MOST_REQUESTS); ;) {
    count -= Math.log(1 - uniform());
    if (count >= total) return moments;
    // fromRate t + slope t^2 / 2 = count, in the form that does not cancel.
    moments.push((2 * count) / (fromRate + Math.sqrt(fromRate ** 2 + 2 * slope * count)));
  }
}
