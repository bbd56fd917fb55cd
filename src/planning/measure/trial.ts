/** What was measured: one run of the load generator against one server of ours. */
import type { Estimate } from '../estimate.js';
import type { LoadResult } from '../load/load-generator.js';
import type { ServerSettings } from '../server-settings.js';

/** What is asked of a server that runs already. */
export interface TrialLoad {
  /** Requests per second; null = closed loop. */
  readonly rate: number | null;
  /** Requests in flight of a closed loop; null = open. */
  readonly inFlight: number | null;
  /** As the generator takes them. */
  readonly arrivals: string;
  readonly seconds: number;
  readonly rowsPerRequest: number;
  readonly seed: number;
  /** Answers that take longer, from the intended moment, are counted; null = none are. */
  readonly goalMs: number | null;
}

/** Of all runs of one batch size, from the server's statistics. */
export interface BatchRuns {
  readonly rows: number;
  readonly runs: number;
  /** Milliseconds in a lane: gather, run, outputs. */
  readonly meanMs: number;
}

export interface Trial {
  readonly settings: ServerSettings;
  /** That runs went to; 0 = the CPU. */
  readonly gpus: number;
  readonly load: TrialLoad;
  readonly result: LoadResult;
  /** During the trial, by rising rows. */
  readonly batches: readonly BatchRuns[];
  /** CPU milliseconds of the server for a request: lanes with the threads that help them, and everything else. */
  readonly laneCpuMs: number;
  readonly frontEndCpuMs: number;
}

/** The highest rate of an open loop that meets the goal, found by trials. */
export interface MaxRate {
  readonly settings: ServerSettings;
  /** Requests per second; 0 when none meets it. */
  readonly rate: Estimate;
  /** Whether the trial at the value has as many requests as the percentile needs, by the rule of early-stopping.ts. */
  readonly isConfirmed: boolean;
  readonly trials: readonly Trial[];
}

export interface LatencyGoal {
  /** Such as 99. */
  readonly percentile: number;
  readonly latencyMs: number;
}
