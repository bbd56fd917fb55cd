/**
 * What is different about runs on GPUs. Batches are padded to powers of two (native/session/cuda_session.cc), so that run times rise in steps.
 * A GPU does one run of a model at a time; others wait for their turn in the order in which they ask (native/session/run_permits.h), while
 * copies to and from it go on beside the run of another lane.
 */
import type { ServerSettings } from '../server-settings.js';
import type { FittedServer, RunTime } from './fitted-server.js';
import { timeAt } from './run-time-curve.js';

/** Lanes of all devices: `settings.lanes` is that of each. */
export function lanesOn(settings: ServerSettings, gpus: number): number {
  return Math.max(1, settings.lanes) * Math.max(1, gpus);
}

/** Of a run of `rows` rows, on a GPU. */
export function paddedRows(rows: number, maxBatchSize: number): number {
  return Math.max(rows, Math.min(2 ** Math.ceil(Math.log2(rows)), maxBatchSize));
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
