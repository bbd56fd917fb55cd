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
  readonly simulate: Simulate;
}

/**
 * Servers that get requests by chance are exchangeable, and a Poisson stream that is shared out by chance makes independent Poisson streams:
 * so many of them stand for any number exactly, each with its own share of the load. Bursts (gamma) thin out the more servers share them; with
 * fewer servers they come out worse than they are, never better.
 */
const MOST_SIMULATED = 64;
const REQUESTS = 100_000;
const REQUESTS_OF_EACH = 2_000;
/** How far the simulation may move the number that the measured rate gives; beyond it, the two contradict each other. */
const MOST_CORRECTION = 2;
const TRIED_AT_ONCE = 8;

/**
 * The smallest number whose share of the load leaves the headroom free of what was measured, and which by simulation meets the goal when all
 * spares are gone. Throws `OptionsError` when nothing is sustained, or when twice that number does not meet the goal in the simulation.
 */
export async function planReplicas(options: FleetOptions & { readonly spare: number }): Promise<Replicas> {
  const { rate, goal, headroom, spare, simulate } = options;
  const least = Math.max(1, Math.ceil(rate / rateOfEach(options) - 1e-9));
  const step = Math.max(1, Math.floor(least / 50));
  for (let from = least; from <= MOST_CORRECTION * least; from += step * TRIED_AT_ONCE) {
    const counts = Array.from({ length: TRIED_AT_ONCE }, (_, i) => from + i * step).filter((count) => count <= MOST_CORRECTION * least);
    const results = await simulate(counts.map((servers) => fleetJob(options, servers)));
    const at = results.findIndex((result) => missShare(result) <= 1 - goal.percentile / 100);
    const needed = counts[at];
    if (needed === undefined) continue;
    const [all, dying] = await simulate([fleetJob(options, needed + spare), dyingJob(options, needed + spare, spare)]);
    return {
      ...{ needed, spare, total: needed + spare, headroom, rateOfEach: rate / (needed + spare) },
      p99Ms: all?.latencyMs.p99 ?? null,
      p99WithoutSpareMs: results[at]?.latencyMs.p99 ?? null,
      lostWithSpare: dying?.lost ?? 0,
    };
  }
  throw new OptionsError([
    `${least} replicas should carry ${rate} requests a second by what was measured, but in the simulation not even ${MOST_CORRECTION * least} ` +
      `meet p${goal.percentile} within ${goal.latencyMs} ms: the fitted server does not describe the measured one`,
  ]);
}

/** Spares included. Where the simulation asked for more than the measured rate does, other loads get as much more. */
export function replicasByLoad(
  options: Pick<FleetOptions, 'rate' | 'sustained' | 'headroom'>,
  replicas: Pick<Replicas, 'needed' | 'spare'>,
): { readonly rate: number; readonly replicas: number }[] {
  const measured = rateOfEach(options);
  const perReplica = Math.ceil(options.rate / measured - 1e-9) < replicas.needed ? options.rate / replicas.needed : measured;
  return SHARES_OF_LOAD.map((share) => {
    const rate = share * options.rate;
    return { rate, replicas: Math.max(1, Math.ceil(rate / perReplica - 1e-9)) + replicas.spare };
  });
}

const SHARES_OF_LOAD = [0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4];

/**
 * The load is the peak that is expected: `most` leaves room for twice that, `least` keeps one besides the spares. `delaySeconds`: from too
 * much load to a further ready replica, such as 15 s until the autoscaler looks and the start of a pod.
 */
export async function planAutoscaling(
  options: FleetOptions & { readonly replicas: Pick<Replicas, 'needed' | 'spare'>; readonly delaySeconds: number },
): Promise<Autoscaling> {
  const { replicas, delaySeconds, simulate } = options;
  const targetRate = Math.min(rateOfEach(options), options.rate / replicas.needed);
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

function fleetJob(options: FleetOptions, servers: number): SimulationJob {
  const simulated = Math.min(servers, MOST_SIMULATED);
  return simulationJob(options.fitted, options.settings, {
    ...options,
    ...{ servers: simulated, rate: (options.rate * simulated) / servers, goalMs: options.goal.latencyMs },
    requests: Math.max(REQUESTS, REQUESTS_OF_EACH * simulated),
  });
}

/** Half way all spares die. */
function dyingJob(options: FleetOptions, servers: number, spare: number): SimulationJob {
  const job = fleetJob(options, servers);
  const dying = Math.min(spare, job.servers - 1);
  const atS = (job.warmUpS + job.arrivals.lengthS) / 2;
  return { ...job, events: Array.from({ length: dying }, (_, server) => ({ atS, server, isUp: false })) };
}
