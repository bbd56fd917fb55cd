/** A server as the simulation sees it: fitted to trials, good for rates and settings that were not measured. */

/** Of one size of batch: on a GPU, with the rows that it was padded with. */
export interface RunTime {
  readonly rows: number;
  /** Of the time in a lane at equidistant shares from 0 to 1, milliseconds, never falling. */
  readonly quantilesMs: readonly number[];
}

export interface FittedServer {
  /** By rising rows; between them it is interpolated, beyond the last extended in a straight line. Of a machine that does nothing else. */
  readonly runTimes: readonly RunTime[];
  /** A second lane on the same device makes runs this many times as long while both run; [0] = 1, by lanes that run. On a GPU they do not, they wait. */
  readonly laneSlowdown: readonly number[];
  /** null = runs go to the CPU. */
  readonly gpu: {
    readonly count: number;
    /** Milliseconds of each run before and after its turn on the GPU, when others may have theirs. */
    readonly asideMs: number;
  } | null;
  /** Runs take (1 + contention x c) times as long while the front end is busy c seconds a second: it shares the cores with the lanes. */
  readonly contention: number;
  readonly frontEnd: {
    /** Threads that carry requests, each one after the other. */
    readonly threads: number;
    /** Milliseconds of such a thread for each request: of CPU, or more where others on its cores keep it from them. */
    readonly perRequestMs: number;
    /** Milliseconds that each request takes besides: sockets, wake-ups. */
    readonly fixedMs: number;
  };
  /** Of the curve against what was measured: (measured - fitted) / measured, one for each batch size of each trial. */
  readonly residuals: readonly { readonly rows: number; readonly relative: number }[];
}
