/** What a server that was not measured like that would do: the highest rate that meets a goal, and latency over rates. */
import type { LatencyGoal } from '../measure/trial.js';
import type { ServerSettings } from '../server-settings.js';
import type { FittedServer } from './fitted-server.js';
import { capacityOf, missShare, simulationJob, type LoadKind, type Simulate } from './simulation-job.js';

export interface PredictionOptions extends LoadKind {
  readonly simulate: Simulate;
}

/** First over all rates, roughly, then between the last that meets the goal and the first that does not. */
const COARSE = { rates: 16, requests: 20_000, seeds: 1 };
const FINE = { rates: 6, requests: 70_000, seeds: 4 };
const LEAST_SHARE_OF_CAPACITY = 0.01;
/** Relative. */
const PRECISION = 0.005;
const FINE_ROUNDS = 4;
/** A queue that grows must have the time to miss the goal. */
const GOALS_SIMULATED = 50;
const MOST_REQUESTS = 1_000_000;

/** A rate and how many of its requests missed the goal. */
interface Point {
  readonly rate: number;
  readonly misses: number;
}

/**
 * Requests per second; 0 when no rate meets the goal. The same seeds are used at every rate, so that a higher rate is the same requests closer
 * together. Each seed has its own highest rate; the result is their mean less twice its standard error, or the lowest of them where that is
 * higher: on the low side, since a plan that promises too much is worse than one that promises too little. Within 0.5 % besides. Throws what
 * `simulate` throws.
 */
export async function predictMaxRate(
  fitted: FittedServer,
  settings: ServerSettings,
  goal: LatencyGoal,
  options: PredictionOptions,
): Promise<number> {
  const allowed = 1 - goal.percentile / 100;
  const capacity = capacityOf(fitted, settings, options.rowsPerRequest);
  const coarse = await missesOver(spaced(LEAST_SHARE_OF_CAPACITY * capacity, 1.05 * capacity, COARSE.rates), COARSE);
  const [ofSeed = []] = coarse;
  if ((ofSeed[0]?.misses ?? 1) > allowed) return 0;
  const met = lastMet(ofSeed, allowed);
  // One step more on each side: few requests may err by that.
  let low = ofSeed[Math.max(0, met - 1)]?.rate ?? 0;
  let high = ofSeed[Math.min(ofSeed.length - 1, met + 2)]?.rate ?? capacity;
  let found: number[] = [];
  for (let round = 0; round < FINE_ROUNDS && high - low > PRECISION * high; round++) {
    const curves = await missesOver(spaced(low, high, FINE.rates), FINE);
    found = curves.map((points) => crossing(points, allowed));
    const mets = curves.map((points) => lastMet(points, allowed));
    const [first = []] = curves;
    low = first[Math.max(0, Math.min(...mets))]?.rate ?? low;
    high = first[Math.min(first.length - 1, Math.max(...mets) + 1)]?.rate ?? high;
  }
  return Math.min(capacity, lowerEnd(found));

  /** By seed, then by rate: one batch of jobs, so that all processors have work. */
  async function missesOver(rates: readonly number[], { requests, seeds }: typeof FINE): Promise<Point[][]> {
    const ofSeeds = Array.from({ length: seeds }, (_, i) => options.seed + i);
    const jobs = ofSeeds.flatMap((seed) =>
      rates.map((rate) => {
        const enough = Math.min(MOST_REQUESTS, Math.max(requests, (GOALS_SIMULATED * goal.latencyMs * rate) / 1e3));
        return simulationJob(fitted, settings, { ...options, seed, rate, requests: enough, servers: 1, goalMs: goal.latencyMs });
      }),
    );
    const results = await options.simulate(jobs);
    const misses = results.map(missShare);
    return ofSeeds.map((_, s) => rates.map((rate, r) => ({ rate, misses: misses[s * rates.length + r] ?? 1 })));
  }
}

/** Equal ratios, both ends included. */
function spaced(low: number, high: number, count: number): number[] {
  const from = Math.max(low, high * 1e-6);
  return Array.from({ length: count }, (_, i) => from * (high / from) ** (i / (count - 1)));
}

/** Index of the last rate before the first that misses too many; -1 = the first does. */
function lastMet(points: readonly Point[], allowed: number): number {
  const missed = points.findIndex(({ misses }) => misses > allowed);
  return (missed === -1 ? points.length : missed) - 1;
}

/** The rate at which as many miss as may, between two rates in a straight line. */
function crossing(points: readonly Point[], allowed: number): number {
  const at = lastMet(points, allowed);
  const [met, missed] = [points[at], points[at + 1]];
  if (met === undefined) return points[0]?.rate ?? 0;
  if (missed === undefined) return met.rate;
  return met.rate + ((missed.rate - met.rate) * (allowed - met.misses)) / (missed.misses - met.misses);
}

function lowerEnd(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return Math.max(Math.min(...values), mean - 2 * Math.sqrt(variance / values.length));
}
