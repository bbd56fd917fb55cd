/**
 * Our own batcher in virtual time, fed by run times that were measured: what a group of servers does under a load. Blocks its thread, from
 * milliseconds to seconds: meant for worker threads of the planner. Needs no engine.
 */
import { addon } from './addon.js';
import { callNative } from './native-errors.js';

export interface SimulatedArrivals {
  readonly kind: 'constant' | 'poisson' | 'gamma' | 'trace';
  /** Of all servers together, per second; ignored for a trace. */
  readonly rate: number;
  /** Of `gamma`; the coefficient of variation of the gaps is 1 / sqrt(shape). */
  readonly shape: number;
  /** Of `trace`: seconds from the start, never falling. */
  readonly momentsS: readonly number[];
  /** Seconds; nothing arrives after. */
  readonly lengthS: number;
}

/** A server goes away, with what it had (its requests are lost), or comes. */
export interface SimulatedEvent {
  readonly atS: number;
  readonly server: number;
  readonly isUp: boolean;
}

export interface SimulationJob {
  readonly seed: number;
  readonly arrivals: SimulatedArrivals;
  readonly rowsPerRequest: number;
  /** Seconds from the start whose requests are not counted. */
  readonly warmUpS: number;
  /** All of them from the start unless an event says otherwise. Requests go by chance to those that are up; their queues are unbounded. */
  readonly servers: number;
  readonly events: readonly SimulatedEvent[];
  readonly batching: {
    /** 1 = every request runs alone. */
    readonly maxBatchRows: number;
    readonly lanes: number;
    /** 0 = the batcher decides itself. */
    readonly maxQueueDelayUs: number;
    /** 0 = none: nothing is refused early. */
    readonly latencyGoalMs: number;
  };
  readonly frontEnd: { readonly threads: number; readonly perRequestMs: number; readonly fixedMs: number };
  readonly runTimes: readonly { readonly rows: number; readonly quantilesMs: readonly number[] }[];
  /** By lanes of one server that run; [0] = 1. */
  readonly laneSlowdown: readonly number[];
  /** Of each server: on a GPU further ones wait for their turn. As many as there are lanes, or more: none waits. */
  readonly runsAtOnce: number;
  /** Milliseconds of a run's time before and after its turn, half each. */
  readonly asideMs: number;
  /** Answers later than this count as late; 0 = none does. */
  readonly goalMs: number;
}

export interface SimulationResult {
  /** Counted ones; every other count is a part of them. */
  readonly requests: number;
  readonly answered: number;
  /** Of those answered. */
  readonly late: number;
  /** At arrival, or dropped before their run. */
  readonly refused: number;
  /** With a server that went away, or while none was up. */
  readonly lost: number;
  /** Of all counted requests, those without an answer as endless (null); by share as in the report of the load generator. */
  readonly latencyMs: Readonly<Record<'p50' | 'p90' | 'p95' | 'p99' | 'p999', number | null>>;
  readonly maxAnsweredMs: number;
  /** Runs by rows, rising. */
  readonly batches: readonly { readonly rows: number; readonly runs: number }[];
  /** Share of the time in which lanes ran, of all servers that were up. */
  readonly laneBusy: number;
}

/**
 * The same job gives the same result. `stop`: shared with a thread that may end it by setting the first element; it throws
 * ERR_REQUEST_CANCELLED then. Throws ERR_CONFIG_OPTION naming the field whose value makes no sense, and ERR_MEMORY; a field of another type
 * is ERR_INTERNAL.
 */
export function simulate(job: SimulationJob, stop: Int32Array | null = null): SimulationResult {
  return callNative(() => addon.simulate(job, stop));
}
