/** Trials as a server with a known curve would give them, and a simulation whose answer is a formula. */
import type { SimulationJob, SimulationResult } from '../../../../src/bridge/simulation.js';
import type { LoadResult, Quantiles } from '../../../../src/planning/load/load-generator.js';
import type { Trial } from '../../../../src/planning/measure/trial.js';
import type { FittedServer } from '../../../../src/planning/server-model/fitted-server.js';
import type { ServerSettings } from '../../../../src/planning/server-settings.js';

export const ONE_LANE: ServerSettings = { maxBatchSize: 16, lanes: 1, maxQueueDelayUs: null, cpuThreads: 1 };
export const PER_REQUEST_MS = 0.05;
export const FIXED_MS = 0.2;
const LANE_CPU_MS = 1;

export interface KnownTrial {
  readonly settings?: ServerSettings;
  readonly gpus?: number;
  readonly runs: readonly { readonly rows: number; readonly runs: number; readonly ms: number }[];
  readonly inFlight?: number;
  readonly rate?: number;
  readonly refused?: string;
  readonly answered?: number;
  /** Ratios to the median. */
  readonly spread?: Partial<Record<'p90' | 'p95' | 'p99' | 'p999', number>>;
}

export function trialOf({
  settings = ONE_LANE,
  gpus = 0,
  runs,
  inFlight,
  rate = 100,
  refused,
  answered = 1000,
  spread = {},
}: KnownTrial): Trial {
  const [first] = runs;
  const delayMs = settings.maxBatchSize > 1 ? (settings.maxQueueDelayUs ?? 0) / 1e3 : 0;
  const median = (first?.ms ?? 0) + PER_REQUEST_MS + FIXED_MS;
  const quantile = (ratio: number) => ({ value: delayMs + ratio * median, low: null, high: null });
  const latency: Quantiles = {
    p50: quantile(1),
    p90: quantile(spread.p90 ?? 1),
    p95: quantile(spread.p95 ?? 1),
    p99: quantile(spread.p99 ?? 1),
    p999: quantile(spread.p999 ?? 1),
    mean_answered: median,
    max_answered: median,
  };
  const result: LoadResult = {
    complete: true,
    refused: refused ?? null,
    rate_wanted: inFlight === undefined ? rate : null,
    rate_sent: rate,
    rate_answered: rate,
    goal_ms: null,
    goodput: null,
    counts: {
      requests: answered,
      answered,
      late_answers: 0,
      misses: 0,
      wrong: 0,
      shed: 0,
      failed: 0,
      broken: 0,
      unanswered: 0,
      warm_up: 0,
    },
    confidence: 0.95,
    latency_ms: latency,
    from_send_ms: latency,
    schedule_delay_ms: null,
    connections: 1,
    settings: {},
  };
  return {
    settings,
    gpus,
    load: {
      rate: inFlight === undefined ? rate : null,
      inFlight: inFlight ?? null,
      arrivals: 'poisson',
      seconds: 10,
      rowsPerRequest: 1,
      seed: 1,
      goalMs: null,
    },
    result,
    batches: runs.map(({ rows, runs: count, ms }) => ({ rows, runs: count, meanMs: ms })),
    laneCpuMs: LANE_CPU_MS,
    frontEndCpuMs: PER_REQUEST_MS,
  };
}

/** Alone on its machine, every run as long as the last of the same size, requests that cost the front end nothing. */
export function steadyServer(msOf: (rows: number) => number, sizes: readonly number[]): FittedServer {
  return {
    runTimes: sizes.map((rows) => ({ rows, quantilesMs: [msOf(rows), msOf(rows)] })),
    laneSlowdown: [1],
    gpu: null,
    contention: 0,
    frontEnd: { threads: 1, perRequestMs: 0, fixedMs: 0 },
    residuals: [],
  };
}

/**
 * P(wait > t) of M/D/1 (Erlang): 1 - (1 - r) sum over k of (-x)^k / k! e^x with x = rate (t - k D). Good as long as t is a few D.
 */
export function longerWaitShare(ratePerMs: number, runMs: number, t: number): number {
  if (ratePerMs * runMs >= 1) return 1;
  if (t < 0) return 1;
  let sum = 0;
  for (let k = 0; k <= Math.floor(t / runMs); k++) {
    const x = ratePerMs * (t - k * runMs);
    let term = Math.exp(x);
    for (let i = 1; i <= k; i++) term *= -x / i;
    sum += term;
  }
  return 1 - (1 - ratePerMs * runMs) * sum;
}

/** Each server an M/D/1 queue: one lane, no batches, Poisson arrivals shared out by chance. */
export function simulateQueues(jobs: readonly SimulationJob[]): Promise<readonly SimulationResult[]> {
  return Promise.resolve(jobs.map(queueResult));
}

function queueResult(job: SimulationJob): SimulationResult {
  const runMs = job.runTimes[0]?.quantilesMs[0] ?? 0;
  const ratePerMs = job.arrivals.rate / job.servers / 1e3;
  const requests = 1e9;
  const lost = job.events.length * 3;
  const late = job.goalMs === 0 ? 0 : requests * longerWaitShare(ratePerMs, runMs, job.goalMs - runMs);
  const quantile = (share: number): number | null => {
    if (ratePerMs * runMs >= 1) return null;
    let [low, high] = [0, 12 * runMs];
    for (let i = 0; i < 50; i++) {
      const middle = (low + high) / 2;
      if (longerWaitShare(ratePerMs, runMs, middle) > 1 - share) low = middle;
      else high = middle;
    }
    return runMs + high;
  };
  return {
    ...{ requests, answered: requests - lost, late, refused: 0, lost, maxAnsweredMs: 0 },
    latencyMs: { p50: quantile(0.5), p90: quantile(0.9), p95: quantile(0.95), p99: quantile(0.99), p999: quantile(0.999) },
    batches: [],
    laneBusy: Math.min(1, ratePerMs * runMs),
  };
}
