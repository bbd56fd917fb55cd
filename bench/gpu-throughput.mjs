/**
 * Online throughput on a GPU: the largest Poisson rate over real sockets whose p99 stays within a bound, against a bare loop over the same
 * session at its best batch, host to host. Then rounds at that rate.
 * Usage: node bench/gpu-throughput.mjs [rounds] [seconds]   (part of `npm run verify:gpu`)
 */
import { arrivals } from './measure/arrivals.mjs';
import { answerOf, bareGpuRun, openLoops, requestsOf } from './measure/gpu.mjs';
import { quantile, readMetrics } from './measure/load.mjs';
import { inferRequests, makeRepository, modelFile, requireModels } from './measure/models.mjs';
import { buildReferences, ORT, startServer } from './measure/processes.mjs';
import { median, progress, ratioSpread, record, rounded, spread } from './measure/record.mjs';

const [rounds = 3, seconds = 60] = process.argv.slice(2).map(Number);
const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128];
const SEARCH_SECONDS = 5;
const SEARCH_STEPS = 7;
const BARE_SECONDS = 3;
/** A thread each; one cannot write images as fast as a GPU takes them. */
const GENERATORS = 4;
/** `length` of open dimensions. The bounds are those of MLPerf Inference's Server scenario; `tolerance`: of the largest reference value. */
const MODELS = [
  { model: 'resnet50', reference: 'resnet50', p99Ms: 15, length: 1, aim: 0.9, tolerance: 0.01 },
  { model: 'resnet50_fp16', reference: 'resnet50', p99Ms: 15, length: 1, aim: 0.9, tolerance: 0.05 },
  { model: 'bert_base', reference: 'bert_base', p99Ms: 130, length: 384, aim: 0.95, tolerance: 0.01 },
  { model: 'bert_base_fp16', reference: 'bert_base', p99Ms: 130, length: 384, aim: 0.95, tolerance: 0.05 },
];

/** Batch and number of loops with the most rows a second. */
function bestBare(model, length) {
  let best = { rowsPerS: 0, batch: 1, loops: 1 };
  for (const batch of BATCHES) {
    for (const loops of [1, 2]) {
      progress(`${model}: bare loop, batch ${batch}, ${loops} at once`);
      const { rowsPerS } = bareGpuRun(ORT, modelFile(model), { batch, openDim: length, loops, seconds: 1 });
      if (rowsPerS > best.rowsPerS) best = { rowsPerS, batch, loops };
    }
  }
  return best;
}

/** Throws when the GPU's answers are not those of the reference on the CPU, within the tolerance; gives the largest error found. */
async function checkAnswers(server, model, known, tolerance) {
  let worst = 0;
  for (const { tensor, expected } of known) {
    const answer = await answerOf(server.http, model, tensor);
    const largest = Math.max(...expected.map(Math.abs));
    const error = Math.max(...expected.map((value, i) => Math.abs(value - (answer[i] ?? NaN)))) / largest;
    if (!(error <= tolerance)) throw new Error(`${model}: an answer is ${error} of the largest value off, expected ${tolerance} at most`);
    worst = Math.max(worst, error);
  }
  return worst;
}

async function measure({ model, reference, p99Ms, length, aim, tolerance }) {
  const bare = bestBare(model, length);
  const group = { instance_group: [{ kind: 'KIND_GPU', count: 2 }], max_batch_size: BATCHES.at(-1) };
  const server = await startServer(makeRepository({ [model]: { model, ...group } }), ['--pinned-memory-pool-byte-size', '4GiB']);
  const known = requestsOf(model, modelFile(reference), length);
  const worstError = await checkAnswers(server, model, known, tolerance);
  const requests = inferRequests(known.map(({ tensor }) => ({ tensor, expected: Buffer.alloc(0) })), model); // prettier-ignore
  const loaded = (rate, duration, seed) =>
    openLoops({ server, requests, generators: GENERATORS, schedule: (i) => arrivals('poisson', rate / GENERATORS, duration, seed + i) });

  let [low, high] = [0, 1.05 * bare.rowsPerS];
  for (let step = 0; step < SEARCH_STEPS; step++) {
    const rate = (low + high) / 2;
    progress(`${model}: are ${rate.toFixed(0)} rows/s sustained?`);
    const { latencies } = await loaded(rate, SEARCH_SECONDS, 100 * step);
    if (quantile(latencies, 0.99) * 1e3 <= p99Ms) low = rate;
    else high = rate;
  }
  const results = { bare: [], server: [], p50: [], p99: [], samples: 0 };
  for (let round = 0; round < rounds; round++) {
    progress(`${model}: round ${round + 1} of ${rounds}`);
    results.bare.push(bareGpuRun(ORT, modelFile(model), { ...bare, openDim: length, seconds: BARE_SECONDS }).rowsPerS);
    const { latencies } = await loaded(low, seconds, 10_000 + 100 * round);
    results.server.push(latencies.filter((latency) => latency * 1e3 <= p99Ms).length / seconds);
    results.p50.push(quantile(latencies, 0.5) * 1e3);
    results.p99.push(quantile(latencies, 0.99) * 1e3);
    results.samples += latencies.length;
  }
  const metrics = await readMetrics(server.management, ['nv_inference_count', 'nv_inference_exec_count']);
  await server.stop();
  return {
    model,
    p99BoundMs: p99Ms,
    bareBatch: bare.batch,
    bareLoops: bare.loops,
    bareRowsPerS: rounded(median(results.bare)),
    rateRowsPerS: rounded(low),
    meanBatch: rounded(metrics.nv_inference_count / metrics.nv_inference_exec_count),
    inTimeOfBare: ratioSpread(results.server, results.bare),
    aim,
    p50Ms: spread(results.p50),
    p99Ms: spread(results.p99),
    samples: results.samples,
    worstError,
  };
}

requireModels(...MODELS.map(({ model }) => model));
buildReferences();
const figures = [];
for (const model of MODELS) figures.push(await measure(model));
progress('');
console.table(
  figures.map(({ model, bareRowsPerS, rateRowsPerS, inTimeOfBare, aim, p99Ms, samples }) => ({
    model, bareRowsPerS, rateRowsPerS, inTimeOfBare: inTimeOfBare.median, aim, p99Ms: p99Ms.median, samples,
  })),
); // prettier-ignore
record(
  'gpu-throughput',
  { arrivals: 'Poisson', rounds, secondsPerRound: seconds, protocol: 'HTTP-binary', generators: GENERATORS },
  figures,
);
process.exit(0);
