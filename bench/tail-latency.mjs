/**
 * p99 / p50 at 80 % of the largest Poisson rate that the server sustains: the rate, found by bisection, whose 99th percentile stays below
 * five times the time of a full batch, nothing refused (after MLPerf Inference's Server scenario). Latency counts from the intended moment.
 * How far the two lie apart for the same arrivals in a queue whose server costs nothing but bare runs of the model is measured along.
 * Usage: node bench/tail-latency.mjs [rounds] [max-late-ms]
 */
import { arrivals } from './measure/arrivals.mjs';
import { idealLatencies, runTime } from './measure/ideal-queue.mjs';
import { closedLoop, MAX_LATE_MS, openLoop, quantile } from './measure/load.mjs';
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
import { bareRun, buildReferences, startServer } from './measure/processes.mjs';
import { progress, record, rounded, spread } from './measure/record.mjs';

const [rounds = 3, maxLateMs = MAX_LATE_MS] = process.argv.slice(2).map(Number);
const MODELS = [
  { model: 'conv_small', rowsPerRequest: 1 },
  { model: 'mlp_20mb', rowsPerRequest: 8 },
];
const SHARE = 0.8;
const BATCHES_AT_P99 = 5;
/** Below this the scheduler of an operating system with two busy cores is measured. */
const LEAST_BOUND_SECONDS = 0.02;
const SEARCH_SECONDS = 5;
const SEARCH_STEPS = 6;
const SECONDS = 20;
const GRACE_SECONDS = 2;

const roundArrivals = (rate, round) => arrivals('poisson', rate, SECONDS, 1 + round);

/** Open loop. */
function load(server, requests, schedule) {
  return openLoop({ port: server.http, management: server.management, requests, schedule, graceSeconds: GRACE_SECONDS, maxLateMs });
}

/** Seconds of a bare run on one thread, by rows: powers of two and the largest. */
function bareRuns(model, maxRows) {
  const seconds = {};
  for (let rows = 1; ; rows = Math.min(2 * rows, maxRows)) {
    seconds[rows] = bareRun(modelFile(model), { threads: 1, batch: rows, seconds: 1 }).medianUs / 1e6;
    if (rows === maxRows) return seconds;
  }
}

async function largestRate({ server, requests, model, bound }) {
  const closed = await closedLoop({ port: server.http, requests, connections: 64, seconds: 2 });
  let [low, high] = [0, 1.1 * closed.perSecond];
  for (let step = 0; step < SEARCH_STEPS; step++) {
    const rate = (low + high) / 2;
    progress(`${model}: is ${rate.toFixed(0)} requests/s sustained?`);
    const { latencies } = await load(server, requests, arrivals('poisson', rate, SEARCH_SECONDS, 100 + step));
    if (quantile(latencies, 0.99) <= bound && latencies.every(Number.isFinite)) low = rate;
    else high = rate;
  }
  if (low === 0) throw new Error(`${model}: no rate keeps p99 below ${rounded(bound * 1e3)} ms; is the machine busy?`);
  return low;
}

/** Milliseconds between which the true 99th percentile lies with 95 % confidence (binomial ranks, normal approximation). */
function p99Interval(latencies) {
  const sorted = Float64Array.from(latencies).sort();
  const width = 1.96 * Math.sqrt(sorted.length * 0.99 * 0.01);
  const at = (rank) => rounded(1e3 * sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(rank)))]);
  return [at(sorted.length * 0.99 - width), at(sorted.length * 0.99 + width)];
}

requireModels(...MODELS.map(({ model }) => model));
buildReferences();
const figures = [];
for (const { model, rowsPerRequest } of MODELS) {
  const maxRows = configOf(model).max_batch_size;
  const bare = bareRuns(model, maxRows);
  const bound = Math.max(LEAST_BOUND_SECONDS, BATCHES_AT_P99 * bare[maxRows]);
  const server = await startServer(makeRepository({ [model]: { model, ...ONE_LANE } }), ONE_THREAD);
  const requests = inferRequests(knownRequests(model, rowsPerRequest), model);
  const maximum = await largestRate({ server, requests, model, bound });
  const all = [];
  const perRound = [];
  const ideal = [];
  const late = [];
  for (let round = 0; round < rounds; round++) {
    progress(`${model}: round ${round + 1} of ${rounds} at ${(SHARE * maximum).toFixed(0)} requests/s`);
    const { latencies, lateMs } = await load(server, requests, roundArrivals(SHARE * maximum, round));
    perRound.push(quantile(latencies, 0.99) / quantile(latencies, 0.5));
    ideal.push(...idealLatencies(roundArrivals(SHARE * maximum, round), { rowsPerRequest, maxRows, secondsOf: runTime(bare) }));
    late.push(lateMs.p99);
    for (const latency of latencies) all.push(latency);
  }
  await server.stop();
  figures.push({
    model,
    rowsPerRequest,
    largestRatePerS: rounded(maximum),
    p99BoundMs: rounded(bound * 1e3),
    samples: all.length,
    failed: all.filter((latency) => !Number.isFinite(latency)).length,
    p50Ms: rounded(quantile(all, 0.5) * 1e3),
    p99Ms: rounded(quantile(all, 0.99) * 1e3),
    p99Interval95Ms: p99Interval(all),
    p99ToP50: rounded(quantile(all, 0.99) / quantile(all, 0.5)),
    p99ToP50OfRounds: spread(perRound),
    idealP99ToP50: rounded(quantile(ideal, 0.99) / quantile(ideal, 0.5)),
    generatorLateP99Ms: spread(late),
  });
}
progress('');
console.table(
  figures.map(({ model, largestRatePerS, samples, p50Ms, p99Ms, p99ToP50, idealP99ToP50 }) => ({
    model,
    largestRatePerS,
    samples,
    p50Ms,
    p99Ms,
    p99ToP50,
    idealP99ToP50,
  })),
);
const settings = { arrivals: 'Poisson', shareOfLargestRate: SHARE, rounds, secondsPerRound: SECONDS, ortThreads: 1, maxLateMs };
record('tail-latency', settings, figures);
process.exit(0);
