/** Trials of a server whose highest rate is known, on a clock of its own. */
import type { LoadResult, Quantile } from '../../../../src/planning/load/load-generator.js';
import type { LatencyGoal, Trial, TrialLoad } from '../../../../src/planning/measure/trial.js';
import type { ServerSettings } from '../../../../src/planning/server-settings.js';

export const GOAL: LatencyGoal = { percentile: 99, latencyMs: 20 };
export const SETTINGS: ServerSettings = { maxBatchSize: 8, lanes: 1, maxQueueDelayUs: null, cpuThreads: 1 };

/** Requests, and those that missed the goal, one after the other. */
export type Parts = readonly (readonly [requests: number, over: number])[];
export const PARTS = 24;

export interface SimulatedMachine {
  /** The highest rate at which one request in a hundred misses the goal. */
  readonly highest: (settings: ServerSettings) => number;
  /** Share of the requests over the goal there is that of the rate to this power; 12 by default. */
  readonly steepness?: number;
  /** Probability of a trial in which something else took the machine for a while. */
  readonly hiccups?: number;
  /** From this rate on the generator is late itself. */
  readonly lateFrom?: number;
  /** A lone request; 1 by default. */
  readonly loneMs?: number | ((settings: ServerSettings) => number);
}

export class SimulatedServer {
  nowS = 0;
  readonly loads: TrialLoad[] = [];
  readonly #machine: SimulatedMachine;
  readonly #random: () => number;

  constructor(machine: SimulatedMachine, seed: number) {
    this.#machine = machine;
    this.#random = randomNumbers(seed);
  }

  readonly clock = (): number => this.nowS;

  measure(settings: ServerSettings, load: TrialLoad): Trial {
    this.loads.push(load);
    this.nowS += load.seconds * 1.25 + 0.2;
    const { highest, steepness = 12, hiccups = 0, lateFrom = Infinity, loneMs: lone = 1 } = this.#machine;
    const loneMs = typeof lone === 'number' ? lone : lone(settings);
    const most = highest(settings);
    // What a closed loop does more than an open one depends on the settings.
    const closed = most * (1.3 + 0.15 * Math.sin(settings.maxBatchSize + 3 * settings.lanes + 7 * settings.cpuThreads));
    const unhurried = (1000 / loneMs) * (load.inFlight ?? 1);
    // A lone request is answered whatever the server does under load.
    const isAnswered = load.rate === null && (most > 0 || load.inFlight === 1);
    const rate = load.rate ?? (load.inFlight === 1 ? unhurried : Math.min(closed, unhurried));
    // A server that answers nothing is sent requests all the same.
    const requests = load.rate === null && !isAnswered ? (load.inFlight ?? 1) : Math.round(rate * load.seconds);
    let share = most <= 0 ? 1 : Math.min(1, 0.01 * (rate / most) ** steepness);
    if (this.#random() < hiccups) share = Math.min(1, share + 0.05);
    const inPart = Array.from({ length: PARTS }, (_, i) => Math.floor((requests * (i + 1)) / PARTS) - Math.floor((requests * i) / PARTS));
    const parts = inPart.map((count) => [count, isAnswered ? 0 : binomial(count, share, this.#random)] as const);
    const refused = load.rate !== null && rate >= lateFrom ? 'the generator was late itself' : null;
    const result = resultOf(parts, load.rate === null ? loneMs * (load.inFlight ?? 1) : loneMs, refused);
    const answered = {
      ...result,
      rate_wanted: load.rate,
      rate_answered: isAnswered || most > 0 ? Math.min(rate, load.inFlight === 1 ? rate : closed) : 0,
    };
    return { settings, gpus: 0, load, result: answered, batches: [], laneCpuMs: 0.1, frontEndCpuMs: 0.1 };
  }
}

/** Of these parts of the time, with all latencies either at the median or after the goal; where all missed it, none was answered. */
export function resultOf(parts: Parts, medianMs: number, refused: string | null = null, goalMs = GOAL.latencyMs): LoadResult {
  const requests = parts.reduce((sum, [count]) => sum + count, 0);
  const over = parts.reduce((sum, [, missed]) => sum + missed, 0);
  const isLost = requests > 0 && over === requests;
  const slowest = over === 0 ? medianMs : Math.max(medianMs, 2 * goalMs);
  const quantile = (share: number): Quantile => {
    const value = requests === 0 || isLost ? null : over > requests * (1 - share) ? slowest : medianMs;
    return { value, low: value, high: value };
  };
  const quantiles = { p50: quantile(0.5), p90: quantile(0.9), p95: quantile(0.95), p99: quantile(0.99), p999: quantile(0.999) };
  const latency = { ...quantiles, mean_answered: medianMs, max_answered: slowest };
  const counts = {
    requests,
    answered: isLost ? 0 : requests,
    late_answers: isLost ? 0 : over,
    misses: isLost ? over : 0,
    wrong: 0,
    shed: isLost ? over : 0,
    failed: 0,
    broken: 0,
    unanswered: 0,
    warm_up: 0,
  };
  return {
    complete: true,
    refused,
    rate_wanted: null,
    rate_sent: 0,
    rate_answered: 0,
    goal_ms: goalMs,
    goodput: null,
    goal_blocks: parts,
    counts,
    confidence: 0.95,
    latency_ms: latency,
    from_send_ms: latency,
    schedule_delay_ms: null,
    connections: 1,
    settings: {},
  };
}

function binomial(count: number, share: number, random: () => number): number {
  if (share >= 1) return count;
  if (share <= 0) return 0;
  // From one hit to the next.
  let [at, hits] = [-1, 0];
  for (;;) {
    at += 1 + Math.floor(Math.log(1 - random()) / Math.log1p(-share));
    if (at >= count) return hits;
    hits++;
  }
}

/** In [0, 1), the same for the same seed: a Weyl sequence, mixed as MurmurHash3 ends. */
export function randomNumbers(seed: number): () => number {
  let state = Math.imul(seed, 0x85ebca6b) >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
