/** How many servers a load needs, with spares, over loads, and when to add one. */
import type { SimulationJob } from '../../bridge/simulation.js';
import { OptionsError } from '../../config/load.js';
import type { Estimate } from '../estimate.js';
import type { LatencyGoal } from '../measure/trial.js';
import type { Autoscaling, Replicas } from '../plan/plan.js';
import type { ServerSettings } from '../server-settings.js';
import type { FittedServer } from './fitted-server.js';
import { rampUp } from './load-ramp.js';
import { missShare, simulationJob, type LoadKind, type Simulate } from './simulation-job.js';

export interface FleetOptions extends LoadKind {
  readonly fitted: FittedServer;
  readonly settings: ServerSettings;
  readonly goal: LatencyGoal;
  /** Requests per second of all replicas. */
  readonly rate: number;
  /** Requests per second that one sustains, measured; plans rest on the lower end. */
  readonly sustained: Estimate;
  /** Share of that left free on purpose. */
  readonly headroom: number;
  /** The configuration that will run has the goal: what cannot be in time is refused. It was measured without. */
  readonly refusesLate: boolean;
  readonly simulate: Simulate;
}

/**
 * Servers that get requests by chance are exchangeable, and a Poisson stream that is shared out by chance makes independent Poisson streams:
 * so many of them stand for any number exactly, each with its own share of the load. Other streams come nearer to Poisson the more servers
 * share them, within 1/64 with so many: bursts come out a little worse than they are, arrivals that are more even than Poisson (constant, gamma
 * with a shape above 1) a little better.
 */
const MOST_SIMULATED = 64;
const REQUESTS = 100_000;
const REQUESTS_OF_EACH = 2_000;
/** How far the simulation may move the number that the measured rate gives; beyond it, the two contradict each other. */
const MOST_CORRECTION = 2;
const TRIED_AT_ONCE = 8;

/**
 * The smallest number whose share of the load leaves the headroom free of what was measured, where by simulation it meets the goal when all
 * spares are gone; otherwise the first above it that does, looked for in steps of up to 2 % from 100 replicas on. Throws `OptionsError` when
 * nothing is sustained, or when twice that number does not meet the goal in the simulation, and what `simulate` throws.
 */
export async function planReplicas(options: FleetOptions & { readonly spare: number }): Promise<Replicas> {
  const { rate, goal, headroom, spare, simulate } = options;
  const least = Math.max(1, leastCount(rate, rateOfEach(options)));
  const step = Math.max(1, Math.floor(least / 50));
  for (let from = least; from <= MOST_CORRECTION * least; from += step * TRIED_AT_ONCE) {
    const counts = Array.from({ length: TRIED_AT_ONCE }, (_, i) => from + i * step).filter((count) => count <= MOST_CORRECTION * least);
    const results = await simulate(counts.map((servers) => fleetJob(options, servers)));
    const at = results.findIndex((result) => missShare(result) <= 1 - goal.percentile / 100);
    const needed = counts[at];
    if (needed === undefined) continue;
    const { job, perDeath } = dyingJob(options, needed + spare, spare);
    const [all, dying] = await simulate([fleetJob(options, needed + spare), job]);
    return {
      ...{ needed, spare, total: needed + spare, headroom, rateOfEach: rate / (needed + spare) },
      p99Ms: all?.latencyMs.p99 ?? null,
      p99WithoutSpareMs: results[at]?.latencyMs.p99 ?? null,
      lostWithSpare: Math.round((dying?.lost ?? 0) * perDeath),
    };
  }
  throw new OptionsError([
    `${least} replicas should carry ${rate} requests a second by what was measured, but in the simulation not even ${MOST_CORRECTION * least} ` +
      `meet p${goal.percentile} within ${goal.latencyMs} ms: the fitted server does not describe the measured one`,
  ]);
}

/** Of the load, up to which replicas are counted. */
const MOST_LOAD = 4;
const MOST_POINTS = 60;

/**
 * Up to `rate` requests per second so many `replicas`, spares included; beyond it the next point holds. Rising, up to four times the load, which
 * is among them: each number of replicas where these are few, of more every n-th. Where the simulation asked for more than the measured rate
 * does, other loads get as much more.
 */
export function replicasByLoad(
  options: Pick<FleetOptions, 'rate' | 'sustained' | 'headroom'>,
  replicas: Pick<Replicas, 'needed' | 'spare'>,
): { readonly rate: number; readonly replicas: number }[] {
  const each = perReplica(options, replicas);
  const countAt = (rate: number): number => Math.max(1, leastCount(rate, each));
  const most = MOST_LOAD * options.rate;
  const step = Math.ceil(countAt(most) / MOST_POINTS);
  const rates = [options.rate, most];
  for (let count = step; count * each < most * (1 - SAME); count += step) {
    if (Math.abs(count * each - options.rate) > SAME * options.rate) rates.push(count * each);
  }
  return rates.sort((a, b) => a - b).map((rate) => ({ rate, replicas: countAt(rate) + replicas.spare }));
}

/**
 * The load is the peak that is expected: `most` leaves room for twice that, `least` keeps one besides the spares. The target is what one
 * replica takes with its headroom left, however small the load. `delaySeconds`: from too much load to a further ready replica, until the
 * autoscaler asks for it and its pod has started.
 */
export async function planAutoscaling(
  options: FleetOptions & { readonly replicas: Pick<Replicas, 'needed' | 'spare'>; readonly delaySeconds: number },
): Promise<Autoscaling> {
  const { replicas, delaySeconds, simulate } = options;
  const targetRate = perReplica(options, replicas);
  const [atTarget] = await simulate([
    simulationJob(options.fitted, options.settings, { ...options, rate: targetRate, requests: REQUESTS, servers: 1, goalMs: 0 }),
  ]);
  return {
    least: 1 + replicas.spare,
    most: 2 * replicas.needed + replicas.spare,
    targetLaneBusy: atTarget?.laneBusy ?? 0,
    targetRate,
    delaySeconds,
    ramp: await rampUp({ ...options, fromRate: targetRate, toRate: options.sustained.low, seconds: delaySeconds }),
  };
}

/**
 * The server when `models` busy models share its device: as by time slicing, where each gets an equal part of the time, every run takes as many
 * times as long. It is the worst case: while the others are idle, runs are as fast as alone. Front ends are not shared.
 */
export function shareDevice(fitted: FittedServer, models: number): FittedServer {
  return {
    ...fitted,
    runTimes: fitted.runTimes.map(({ rows, quantilesMs }) => ({ rows, quantilesMs: quantilesMs.map((ms) => ms * models) })),
  };
}

function rateOfEach({ sustained, headroom }: Pick<FleetOptions, 'sustained' | 'headroom'>): number {
  const rate = sustained.low * (1 - headroom);
  if (rate > 0) return rate;
  throw new OptionsError([
    `a replica sustains ${sustained.low} requests a second with a headroom of ${headroom}: no number of them carries a load`,
  ]);
}

/** With the headroom left: as measured, or less where the simulation raised the number of replicas above what that gives. */
function perReplica(options: Pick<FleetOptions, 'rate' | 'sustained' | 'headroom'>, { needed }: Pick<Replicas, 'needed'>): number {
  const measured = rateOfEach(options);
  return leastCount(options.rate, measured) < needed ? options.rate / needed : measured;
}

/** Relative; rates that differ by less are the same, and divide each other exactly. */
const SAME = 1e-9;

function leastCount(rate: number, each: number): number {
  return Math.ceil((rate / each) * (1 - SAME));
}

function fleetJob(options: FleetOptions, servers: number): SimulationJob {
  const simulated = Math.min(servers, MOST_SIMULATED);
  return simulationJob(options.fitted, options.settings, {
    ...options,
    ...{ servers: simulated, rate: (options.rate * simulated) / servers, goalMs: options.goal.latencyMs },
    requests: Math.max(REQUESTS, REQUESTS_OF_EACH * simulated),
  });
}

/** As the servers will run. Half way all spares die, or as many as are simulated but one: each of those stands for `perDeath` of them. */
function dyingJob(options: FleetOptions, servers: number, spare: number): { readonly job: SimulationJob; readonly perDeath: number } {
  const job = fleetJob(options, servers);
  const dying = Math.min(spare, job.servers - 1);
  const atS = (job.warmUpS + job.arrivals.lengthS) / 2;
  const events = Array.from({ length: dying }, (_, server) => ({ atS, server, isUp: false }));
  const batching = { ...job.batching, latencyGoalMs: options.refusesLate ? options.goal.latencyMs : 0 };
  return { job: { ...job, batching, events }, perDeath: dying === 0 ? 0 : spare / dying };
}
