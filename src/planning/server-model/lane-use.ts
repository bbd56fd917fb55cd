/** How much of the time lanes ran, and what keeps them from running all of it when work is waiting. */
import type { Trial } from '../measure/trial.js';
import { lanesOn, paddedRows } from './gpu-runs.js';
import { timeAt, weightedMedian, type CurvePoint } from './run-time-curve.js';

/** In a closed loop with many requests in flight, lanes that run less than this share of the time are not what limits it. */
export const IDLE_LANES = 0.85;
/** Lanes that wait for a GPU all the time run no less than this share of it. */
const BUSY_LANES = 0.95;

/** Of the time, in which each of the lanes ran. */
export function laneShare({ batches, result, load, settings, gpus }: Trial): number {
  const rows = batches.reduce((sum, batch) => sum + batch.runs * batch.rows, 0);
  const ms = batches.reduce((sum, batch) => sum + batch.runs * batch.meanMs, 0);
  return rows === 0 ? 0 : Math.min(1, (result.rate_answered * load.rowsPerRequest * ms) / rows / 1e3 / lanesOn(settings, gpus));
}

/**
 * From one run to the next a lane hands its answers over, which is no part of the time that the server's statistics give of a run. As a share
 * of that time, from closed loops in which the next batch was always waiting and that nothing but the lanes limited; 0 = no trial tells. Where
 * lanes wait for a GPU it goes on beside other runs (gpu-runs.ts) and cannot be told.
 */
export function shareBetweenRuns(trials: readonly Trial[]): number {
  const full = trials.filter((trial) => {
    const { load, settings, gpus } = trial;
    const queued =
      (load.inFlight ?? 0) * load.rowsPerRequest >= 2 * lanesOn(settings, gpus) * Math.max(settings.maxBatchSize, load.rowsPerRequest);
    return queued && !mayWait(trial) && laneShare(trial) >= IDLE_LANES;
  });
  return weightedMedian(full.map((trial) => ({ value: 1 / laneShare(trial) - 1, weight: 1 })));
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
 * than fit one behind the other. 0 where none tells. `curve`: by padded rows, of runs that did not wait.
 */
export function timeAside(trials: readonly Trial[], curve: readonly CurvePoint[]): number {
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

function mayWait({ gpus, settings, load }: Trial): boolean {
  return gpus > 0 && settings.lanes > 1 && load.inFlight !== 1;
}
