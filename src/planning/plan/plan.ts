/** The answer to "how many GPUs do I need?": what `plan.json` holds, and what every other output is made of. */
import type { Estimate } from '../estimate.js';
import type { LatencyGoal } from '../measure/trial.js';
import type { FittedServer } from '../server-model/fitted-server.js';
import type { Ramp } from '../server-model/load-ramp.js';
import type { ServerSettings } from '../server-settings.js';

/** One settled cell of the search. */
export interface PlanCandidate {
  readonly settings: ServerSettings;
  /** Requests per second that meet the goal; a bound from the search, an estimate with an interval for those it finished. */
  readonly rate: Estimate;
  readonly trials: number;
  /** given-up: it was clearly behind, so its rate is a bound. unfinished: the search ended first. died: its server did. */
  readonly state: 'finished' | 'given-up' | 'unfinished' | 'died';
}

/** Of the chosen settings, by rising rate. null: too many requests have no right answer. */
export interface CurvePoint {
  readonly rateWanted: number;
  readonly rateAnswered: number;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly misses: number;
}

export interface Prediction {
  readonly settings: ServerSettings;
  readonly measured: Estimate;
  /** Of a model that was fitted without this cell. */
  readonly predicted: number;
}

/** Servers of one GPU each, or of `cpus` where there is none. */
export interface Replicas {
  /** For the load, without a spare. */
  readonly needed: number;
  /** That may fail at one time without the goal being missed. */
  readonly spare: number;
  readonly total: number;
  /** Of the rate that one sustains (lower end of its interval), left free on purpose. */
  readonly headroom: number;
  /** Requests per second of each when all are up. */
  readonly rateOfEach: number;
  /** Simulated, at the load with all up, and with the spare ones gone. */
  readonly p99Ms: number | null;
  readonly p99WithoutSpareMs: number | null;
  /** Requests that went down with the spare ones when they died at one moment. */
  readonly lostWithSpare: number;
}

export interface Autoscaling {
  readonly least: number;
  readonly most: number;
  /** Of `penstock_lane_busy_seconds_total` over time and lanes, at which a replica is to be added: below saturation by the headroom. */
  readonly targetLaneBusy: number;
  /** Requests per second of each replica at that point. */
  readonly targetRate: number;
  /** From "too much load" to a further ready replica, as assumed. */
  readonly delaySeconds: number;
  /** Simulated: the load of a replica at the target grows while the next one starts. */
  readonly ramp: Ramp;
}

export interface Cost {
  /** As in the table of prices. */
  readonly kind: string;
  readonly currency: string;
  /** Of one replica. */
  readonly perHour: number;
  readonly allPerHour: number;
  readonly perMillionRequests: number;
}

export interface Plan {
  readonly format: 1;
  /** ISO 8601. */
  readonly taken: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly model: {
    readonly name: string;
    readonly version: string;
    /** Of one request. */
    readonly inputShapes: Readonly<Record<string, readonly number[]>>;
    readonly rowsPerRequest: number;
  };
  readonly goal: LatencyGoal;
  readonly load: { readonly rate: number; readonly arrivals: string };
  readonly seed: number;
  /** A lone request, from the client: no goal below it can be met. null: none was measured. */
  readonly loneRequestMs: number | null;
  /** False: the search was stopped or failed, so that settings that were not tried may meet the goal, or be better. */
  readonly isComplete: boolean;
  readonly candidates: readonly PlanCandidate[];
  /** null: none meets the goal. */
  readonly chosen: PlanCandidate | null;
  readonly curve: readonly CurvePoint[];
  /** Requests per second where latency begins to rise steeply; null = not reached. */
  readonly knee: number | null;
  /** At the highest sustained rate of the chosen settings. */
  readonly batches: readonly { readonly rows: number; readonly runs: number }[];
  readonly fitted: FittedServer | null;
  readonly predictions: readonly Prediction[];
  readonly replicas: Replicas | null;
  /** By rising rate: up to `rate` requests per second so many replicas, spares included; beyond it as the next one says. */
  readonly replicasByLoad: readonly { readonly rate: number; readonly replicas: number; readonly costPerHour: number | null }[];
  readonly autoscaling: Autoscaling | null;
  /** null: no price is known. */
  readonly cost: Cost | null;
  /** What a reader must know, one sentence each: the generator shared the cores, the time ran out, a server died. */
  readonly notes: readonly string[];
}
