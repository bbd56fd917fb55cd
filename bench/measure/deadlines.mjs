/** Requests that are worth something only in time: the deadline of a model, and rows answered before it. */
import { openLoop } from './load.mjs';
import { configOf, modelFile } from './models.mjs';
import { bareRun } from './processes.mjs';

/** Times of a full batch that a request may take. */
const BATCHES_TO_DEADLINE = 4;

/** Of its deadline a client keeps this much for the way there and back, and tells the server the rest. */
const WAY_SHARE = 0.05;
const LEAST_WAY_SECONDS = 0.005;

/** {seconds: as the client judges, toldUs: as the server is told, fullBatchSeconds, rowsPerSecond of the bare loop} with one thread. */
export function deadlineOf(model) {
  const { medianUs, rows, wallS } = bareRun(modelFile(model), { threads: 1, batch: configOf(model).max_batch_size, seconds: 2 });
  const fullBatchSeconds = medianUs / 1e6;
  const seconds = BATCHES_TO_DEADLINE * fullBatchSeconds;
  const toldUs = Math.round((seconds - Math.max(LEAST_WAY_SECONDS, WAY_SHARE * seconds)) * 1e6);
  return { seconds, toldUs, fullBatchSeconds, rowsPerSecond: rows / wallS };
}

/** Requests of one row, and how many were answered in time, counted from the intended moment. */
export async function onTimeRows(server, requests, schedule, deadline, maxLateMs) {
  const { http: port, management } = server;
  const { latencies, statuses, lateMs } = await openLoop({
    port,
    management,
    requests,
    schedule,
    graceSeconds: deadline.seconds,
    maxLateMs,
  });
  const onTime = latencies.filter((latency) => latency <= deadline.seconds).length;
  const refused = statuses.filter((status) => status !== 200 && status !== 0).length;
  return { onTime, share: onTime / latencies.length, refusedShare: refused / latencies.length, lateP99Ms: lateMs.p99 };
}
