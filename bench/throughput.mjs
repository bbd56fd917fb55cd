/**
 * Rows a second with 64 closed-loop clients, against the bare loop at its best batch, for a model whose cost grows with its rows and one
 * whose cost is mostly fixed. One ONNX Runtime thread, hence one lane thread that does all the work of the model.
 * Usage: node bench/throughput.mjs [rounds]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { closedLoop, readMetrics } from './measure/load.mjs';
import {
  configOf,
  inferRequests,
  knownRequests,
  makeRepository,
  modelFile,
  ONE_LANE,
  ONE_THREAD,
  requireModels,
} from './measure/models.mjs';
import { bareRun, buildReferences, cpuByThread, startServer } from './measure/processes.mjs';
import { median, progress, ratioSpread, record, rounded, spread, turns } from './measure/record.mjs';

const rounds = Number(process.argv[2] ?? 5);
const CLIENTS = 64;
const SECONDS = 4;
const BARE_SECONDS = 3;
const SWEEP_SECONDS = 0.6;
const SAMPLE_MS = 250;
/** Single rows of the second model come no faster than a front end and a client on the other core can pass them on. */
const MODELS = [
  { model: 'conv_small', rowsPerRequest: 1 },
  { model: 'mlp_20mb', rowsPerRequest: 8 },
];

/** The batch with the most rows a second. */
function bestBatch(model) {
  let best = { batch: 0, perSecond: 0 };
  for (let batch = 1; batch <= configOf(model).max_batch_size; batch *= 2) {
    progress(`${model}: bare loop, batch ${batch}`);
    const { rows, wallS } = bareRun(modelFile(model), { threads: 1, batch, seconds: SWEEP_SECONDS });
    if (rows / wallS > best.perSecond) best = { batch, perSecond: rows / wallS };
  }
  return best.batch;
}

const COUNTERS = ['nv_inference_count', 'nv_inference_exec_count', 'penstock_lane_busy_seconds_total', 'penstock_lanes'];

/** Share of looks at the server, while `load` goes on, at which requests were waiting. */
async function whileLooking(management, load) {
  let looks = 0;
  let queued = 0;
  let over = false;
  const looking = (async () => {
    while (!over) {
      const { nv_inference_pending_request_count: pending } = await readMetrics(management, ['nv_inference_pending_request_count']);
      looks++;
      if (pending > 0) queued++;
      await sleep(SAMPLE_MS);
    }
  })();
  const result = await load.finally(() => (over = true));
  await looking;
  return { ...result, queuedShare: queued / looks };
}

async function serverRound(server, requests, rowsPerRequest) {
  let lanes = NaN;
  const sample = async () => {
    const counters = await readMetrics(server.management, COUNTERS);
    lanes = counters.penstock_lanes ?? NaN;
    return { laneCpu: cpuByThread(server.pid)['penstock-lane'], busy: NaN, ...renamed(counters) };
  };
  const load = closedLoop({ port: server.http, requests, connections: CLIENTS, seconds: SECONDS, sample });
  const { answers, seconds, grown, queuedShare } = await whileLooking(server.management, load);
  const rows = answers * rowsPerRequest;
  return {
    rowsPerS: rows / seconds,
    rowsPerCpuS: rows / grown.laneCpu,
    meanBatch: grown.rows / grown.runs,
    idleShare: 1 - grown.busy / (lanes * seconds),
    queuedShare,
  };
}

const renamed = ({ nv_inference_count: rows, nv_inference_exec_count: runs, penstock_lane_busy_seconds_total: busy = NaN }) => ({
  rows,
  runs,
  busy,
});

function bareRound(model, batch) {
  const { rows, wallS, cpuS } = bareRun(modelFile(model), { threads: 1, batch, seconds: BARE_SECONDS });
  return { rowsPerS: rows / wallS, rowsPerCpuS: rows / cpuS };
}

requireModels(...MODELS.map(({ model }) => model));
buildReferences();
const figures = [];
for (const { model, rowsPerRequest } of MODELS) {
  const batch = bestBatch(model);
  const repository = makeRepository({ [model]: { model, ...ONE_LANE } });
  const server = await startServer(repository, ONE_THREAD);
  const requests = inferRequests(knownRequests(model, rowsPerRequest), model);
  const results = { bare: [], server: [] };
  for (let round = 0; round < rounds; round++) {
    for (const contender of turns(['bare', 'server'], round)) {
      progress(`${model}: round ${round + 1} of ${rounds}, ${contender}`);
      results[contender].push(contender === 'bare' ? bareRound(model, batch) : await serverRound(server, requests, rowsPerRequest));
    }
  }
  await server.stop();
  const of = (contender, field) => results[contender].map((result) => result[field]);
  const idle = of('server', 'idleShare');
  figures.push({
    model,
    rowsPerRequest,
    bareBatch: batch,
    bareRowsPerS: rounded(median(of('bare', 'rowsPerS'))),
    serverRowsPerS: rounded(median(of('server', 'rowsPerS'))),
    meanBatch: rounded(median(of('server', 'meanBatch'))),
    rowsRatio: ratioSpread(of('server', 'rowsPerS'), of('bare', 'rowsPerS')),
    rowsPerCpuSecondRatio: ratioSpread(of('server', 'rowsPerCpuS'), of('bare', 'rowsPerCpuS')),
    laneIdleShare: idle.some(Number.isNaN) ? null : spread(idle),
    queuedShare: spread(of('server', 'queuedShare')),
  });
}
progress('');
console.table(figures.map(({ model, rowsPerCpuSecondRatio, rowsRatio, laneIdleShare, meanBatch }) => ({
  model, rowsPerCpuSecondRatio: rowsPerCpuSecondRatio.median, rowsRatio: rowsRatio.median, laneIdleShare: laneIdleShare?.median, meanBatch,
}))); // prettier-ignore
record('throughput', { clients: CLIENTS, rounds, secondsPerRound: SECONDS, ortThreads: 1, protocol: 'HTTP-binary' }, figures);
