/**
 * What is different about runs on GPUs. Batches are padded to powers of two (native/session/cuda_session.cc), so that run times rise in steps.
 * A GPU does one run of a model at a time; others wait for their turn in the order in which they ask (native/session/run_permits.h), while
 * copies to and from it go on beside the run of another lane.
 */
import type { Trial } from '../measure/trial.js';
import type { ServerSettings } from '../server-settings.js';
import type { FittedServer, RunTime } from './fitted-server.js';
import { timeAt, weightedMedian, type CurvePoint } from './run-time-curve.js';

/** In a closed loop whose lanes run less than this share of the time, something else than the GPU may be what limits it. */
const BUSY_LANES = 0.95;

/** Lanes of all devices: `settings.lanes` is that of each. */
export function lanesOn(settings: ServerSettings, gpus: number): number {
  return Math.max(1, settings.lanes) * Math.max(1, gpus);
}

/** Of a run of `rows` rows, on a GPU. */
export function paddedRows(rows: number, maxBatchSize: number): number {
  return Math.max(rows, Math.min(2 ** Math.ceil(Math.log2(rows)), maxBatchSize));
}

/**
 * Trials that tell how long runs take. On a GPU with several lanes the time in a lane holds the wait for a turn, so that those are left out
 * unless there are no others under load.
 */
export function withoutWaits(trials: readonly Trial[]): readonly Trial[] {
  const alone = trials.filter((trial) => !mayWait(trial));
  return alone.some(({ load }) => load.inFlight !== 1) ? alone : trials;
}

/**
 * Milliseconds of each run before and after its turn, as those trials tell in which lanes waited for turns all the time: they do more runs
 * than fit one behind the other. 0 where none tells. `curve`: by padded rows, of runs that did not wait. `laneShare`: see fit-server.ts.
 */
export function timeAside(trials: readonly Trial[], curve: readonly CurvePoint[], laneShare: (trial: Trial) => number): number {
  if (withoutWaits(trials).some(mayWait)) return 0;
  const busy = trials.filter((trial) => mayWait(trial) && trial.load.inFlight !== null && laneShare(trial) > BUSY_LANES);
  return weightedMedian(
    busy.map(({ batches, settings, gpus, result, load }) => {
      const runs = batches.reduce((sum, batch) => sum + batch.runs, 0);
      const rows = batches.reduce((sum, batch) => sum + batch.runs * batch.rows, 0);
      const ms = batches.reduce((sum, batch) => sum + batch.runs * timeAt(curve, paddedRows(batch.rows, settings.maxBatchSize)), 0);
      const turnMs = (1e3 * gpus * rows) / (runs * result.rate_answered * load.rowsPerRequest);
      return { value: Math.max(0, ms / runs - turnMs), weight: 1 };
    }),
  );
}

/** As batches of up to `maxBatchSize` rows take them, padded where they run on a GPU. */
export function runTimesFor({ runTimes, gpu }: FittedServer, { maxBatchSize }: ServerSettings): readonly RunTime[] {
  if (gpu === null || maxBatchSize < 2) return runTimes;
  const steps: RunTime[] = [];
  for (let below = 0; below < maxBatchSize;) {
    const size = paddedRows(below + 1, maxBatchSize);
    const quantilesMs = quantilesAt(runTimes, size);
    steps.push({ rows: below + 1, quantilesMs });
    if (size > below + 1) steps.push({ rows: size, quantilesMs });
    below = size;
  }
  return steps;
}

function mayWait({ gpus, settings, load }: Trial): boolean {
  return gpus > 0 && settings.lanes > 1 && load.inFlight !== 1;
}

/** As the curve between the sizes: all tables have as many quantiles. */
function quantilesAt(runTimes: readonly RunTime[], rows: number): readonly number[] {
  const [first] = runTimes;
  return (first?.quantilesMs ?? []).map((_, i) =>
    timeAt(
      runTimes.map((each) => ({ rows: each.rows, ms: each.quantilesMs[i] ?? 0 })),
      rows,
    ),
  );
}
