/** Jobs for the simulation: a fitted server under a load. */
import type { SimulatedArrivals, SimulationJob, SimulationResult } from '../../bridge/simulation.js';
import { OptionsError } from '../../config/load.js';
import type { ServerSettings } from '../server-settings.js';
import { slowdownOf } from './fit-server.js';
import type { FittedServer } from './fitted-server.js';
import { lanesOn, runTimesFor } from './gpu-runs.js';
import { timeAt } from './run-time-curve.js';

/** Results in the order of the jobs. */
export type Simulate = (jobs: readonly SimulationJob[]) => Promise<readonly SimulationResult[]>;

/** What is the same for every rate. */
export interface LoadKind {
  /** As the generator takes them; no trace, which has one rate. */
  readonly arrivals: string;
  readonly rowsPerRequest: number;
  readonly seed: number;
}

export interface SimulatedLoad extends LoadKind {
  /** Requests per second, of all servers together. */
  readonly rate: number;
  /** About so many are counted; fewer where they would take longer than ten days. */
  readonly requests: number;
  readonly servers: number;
  /** 0 = no answer is late. */
  readonly goalMs: number;
}

/** Of the counted length, before it: queues fill. */
const WARM_UP = 0.1;
/** With the warm-up below the longest simulation there is (11 days, native/simulation/fleet_job.cc). */
const LONGEST_COUNTED_S = 900_000;

/**
 * Requests go to servers by chance, as kube-proxy sends them; nothing is refused, as the server does by default for requests without a timeout.
 * Throws `OptionsError` for arrivals that cannot be simulated at any rate.
 */
export function simulationJob(fitted: FittedServer, settings: ServerSettings, load: SimulatedLoad): SimulationJob {
  const counted = Math.min(load.requests / load.rate, LONGEST_COUNTED_S);
  const frontEndBusy = ((load.rate / load.servers) * fitted.frontEnd.perRequestMs) / 1e3;
  const lanes = lanesOf(fitted, settings);
  const longer = 1 + fitted.contention * frontEndBusy;
  return {
    seed: load.seed,
    arrivals: { ...arrivalsOf(load.arrivals), rate: load.rate, lengthS: counted * (1 + WARM_UP) },
    rowsPerRequest: load.rowsPerRequest,
    warmUpS: counted * WARM_UP,
    servers: load.servers,
    events: [],
    batching: {
      maxBatchRows: Math.max(1, load.rowsPerRequest, settings.maxBatchSize),
      lanes,
      maxQueueDelayUs: settings.maxQueueDelayUs ?? 0,
      latencyGoalMs: 0,
    },
    frontEnd: fitted.frontEnd,
    runTimes: runTimesFor(fitted, settings).map(({ rows, quantilesMs }) => ({ rows, quantilesMs: quantilesMs.map((ms) => ms * longer) })),
    laneSlowdown: Array.from({ length: lanes }, (_, i) => slowdownIn(fitted, i + 1)),
    runsAtOnce: fitted.gpu?.count ?? lanes,
    asideMs: fitted.gpu?.asideMs ?? 0,
    goalMs: load.goalMs,
  };
}

/** Requests per second that no server of this kind exceeds, whatever the latency. */
export function capacityOf(fitted: FittedServer, settings: ServerSettings, rowsPerRequest: number): number {
  const curve = runTimesFor(fitted, settings).map(({ rows, quantilesMs }) => ({ rows, ms: meanOf(quantilesMs) }));
  const most = Math.max(1, Math.floor(settings.maxBatchSize / rowsPerRequest));
  let perMs = 0;
  for (let running = 1; running <= lanesOf(fitted, settings); running++) {
    const slowdown = slowdownIn(fitted, running);
    for (let requests = 1; requests <= most; requests++) {
      const runMs = timeAt(curve, requests * rowsPerRequest) * slowdown;
      const turnsPerMs = fitted.gpu === null ? Infinity : fitted.gpu.count / Math.max(runMs - fitted.gpu.asideMs, Number.EPSILON);
      perMs = Math.max(perMs, requests * Math.min(running / runMs, turnsPerMs));
    }
  }
  const { threads, perRequestMs } = fitted.frontEnd;
  return 1e3 * (perRequestMs > 0 ? Math.min(perMs, threads / perRequestMs) : perMs);
}

/** Of requests without an answer in time, as a share of all. */
export function missShare({ requests, late, answered }: SimulationResult): number {
  return requests === 0 ? 0 : (requests - answered + late) / requests;
}

function lanesOf({ gpu }: FittedServer, settings: ServerSettings): number {
  return gpu === null ? settings.lanes : lanesOn(settings, gpu.count);
}

/** Lanes beyond one for each GPU wait for their turn, which takes nothing from those that run. */
function slowdownIn({ laneSlowdown, gpu }: FittedServer, running: number): number {
  return slowdownOf(laneSlowdown, gpu === null ? running : Math.min(running, gpu.count));
}

function meanOf(quantiles: readonly number[]): number {
  const ends = ((quantiles[0] ?? 0) + (quantiles.at(-1) ?? 0)) / 2;
  return quantiles.length < 2 ? ends : (quantiles.reduce((sum, each) => sum + each, 0) - ends) / (quantiles.length - 1);
}

function arrivalsOf(arrivals: string): Pick<SimulatedArrivals, 'kind' | 'shape' | 'momentsS'> {
  const shape = Number(/^gamma:(.+)$/.exec(arrivals)?.[1]);
  if (shape > 0 && Number.isFinite(shape)) return { kind: 'gamma', shape, momentsS: [] };
  if (arrivals === 'poisson' || arrivals === 'constant') return { kind: arrivals, shape: 1, momentsS: [] };
  throw new OptionsError([`arrivals "${arrivals}" cannot be planned for: they are to be poisson, constant or gamma:SHAPE`]);
}
