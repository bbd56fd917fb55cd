/**
 * Regression guard: a few ratios of the server to references in the same run, in less than three minutes. Appends them to
 * bench/results/guard-history.jsonl, draws the trend, and ends with 1 when one fell beyond the noise of the entries before it, with 75 when
 * nothing can be concluded because the machine was busy with something else, with 70 when the guard itself failed. All ratios are such that
 * more is better. What fell is compared with nothing until it is accepted. `history`: another file than that one; then no trend is drawn.
 * Usage: node bench/guard.mjs [rounds [history]] | --accept [history]
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { timeCalls } from './measure/callers.mjs';
import { decodeMs, writeJsonBody } from './measure/decoders.mjs';
import { acceptNewest, appendHistory, isQuiet, judge, readHistory, STANDARD_ROUNDS } from './measure/guard-history.mjs';
import { closedLoop } from './measure/load.mjs';
import { inferRequests, knownRequests, makeRepository, modelFile, ONE_LANE, ONE_THREAD, requireModels } from './measure/models.mjs';
import { bareRun, buildReferences, cpuByThread, startServer } from './measure/processes.mjs';
import { commitHere, machineHere, median, progress, root, rounded, turns } from './measure/record.mjs';
import { startSmallContenders } from './measure/small-contenders.mjs';

const EXIT_FALLEN = 1;
const EXIT_USAGE = 64;
const EXIT_FAILED = 70;
const EXIT_BUSY = 75;
// Node ends with 1 otherwise, which here is "fallen".
process.on('uncaughtException', (thrown) => {
  console.error(thrown);
  process.exit(EXIT_FAILED);
});

const [first = String(STANDARD_ROUNDS), given] = process.argv.slice(2);
const history = given ?? path.join(root, 'bench/results/guard-history.jsonl');
if (first === '--accept') {
  const accepted = acceptNewest(history);
  console.log(accepted.length > 0 ? `accepted: ${accepted.join(', ')}` : 'nothing fell in the newest entry');
  process.exit(0);
}
const rounds = Number(first);
if (!(Number.isInteger(rounds) && rounds >= 1)) {
  console.error(`"${first}" is not a number of rounds; usage: node bench/guard.mjs [rounds [history]] | --accept [history]`);
  process.exit(EXIT_USAGE);
}
// Before minutes of measuring: a damaged one is of no use then.
const earlier = readHistory(history);

const SMALL_MODEL = 'mlp_tiny';
const SMALL_SECONDS = 1.5;
const CALLS = 400;
/** Mostly a fixed cost, which a batch shares: what the batcher does not join shows. */
const BATCH_MODEL = 'mlp_20mb';
const ROWS_PER_REQUEST = 8;
const CLIENTS = 64;
const BATCH_SECONDS = 1.5;
const BARE_SECONDS = 1;
/** The best, by throughput.mjs. */
const BARE_BATCH = 32;
const DECODES = 7;
const LOOK_SECONDS = 3;

/** Share of all cores' time that others than this process and its children take, in seconds without work of ours. */
async function busyShare() {
  const sample = () => {
    const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/).map(Number);
    return { idle: ticks[3] + ticks[4], total: ticks.slice(0, 8).reduce((sum, value) => sum + value, 0) };
  };
  const before = sample();
  await sleep(LOOK_SECONDS * 1000);
  const after = sample();
  return 1 - (after.idle - before.idle) / (after.total - before.total);
}

async function rowsPerLaneSecond(server, requests) {
  const sample = () => ({ lane: cpuByThread(server.pid)['penstock-lane'] });
  const { answers, grown } = await closedLoop({
    port: server.http,
    requests,
    connections: CLIENTS,
    seconds: BATCH_SECONDS,
    sample,
  });
  return (answers * ROWS_PER_REQUEST) / grown.lane;
}

/** A share of a ratio counts here, so small ones need their digits. */
const precise = (value) => Number(value.toPrecision(4));
const preciseSpread = (values) => ({
  median: precise(median(values)),
  low: precise(Math.min(...values)),
  high: precise(Math.max(...values)),
});

async function medianCall(open) {
  const { call, close } = await open();
  await timeCalls(call, CALLS / 4); // warm up
  const times = await timeCalls(call, CALLS);
  close();
  return median(times);
}

function bareRowsPerSecond() {
  const { rows, cpuS } = bareRun(modelFile(BATCH_MODEL), { threads: 1, batch: BARE_BATCH, seconds: BARE_SECONDS });
  return rows / cpuS;
}

requireModels(SMALL_MODEL, BATCH_MODEL);
buildReferences();
progress('looking how busy the machine is');
const busyBefore = await busyShare();
const started = performance.now();
const { loads, callers } = await startSmallContenders(SMALL_MODEL);
const batching = await startServer(makeRepository({ [BATCH_MODEL]: { model: BATCH_MODEL, ...ONE_LANE } }), ONE_THREAD);
const batchRequests = inferRequests(knownRequests(BATCH_MODEL, ROWS_PER_REQUEST), BATCH_MODEL);
const body = writeJsonBody((random) => random().toFixed(8));

/** One figure of a round for each contender; all are run in turns. */
const contenders = {
  ...Object.fromEntries(
    Object.entries(loads).map(([name, load]) => [
      name,
      async () => {
        const { perSecond, answers, grown } = await load(SMALL_SECONDS);
        return { perSecond, cpu: grown.cpu / answers };
      },
    ]),
  ),
  ...Object.fromEntries(Object.entries(callers).map(([name, open]) => [`${name}Call`, () => medianCall(open)])),
  bareCall: () => bareRun(modelFile(SMALL_MODEL), { threads: 1, batch: 1, seconds: 0.2 }).medianUs,
  lane: () => rowsPerLaneSecond(batching, batchRequests),
  bareLoop: bareRowsPerSecond,
  native: () => decodeMs('native', body, DECODES),
  javascript: () => decodeMs('javascript', body, DECODES),
};

const RATIOS = {
  http_rate: ({ http, httpEcho }) => http.perSecond / httpEcho.perSecond,
  grpc_rate: ({ grpc, grpcEcho }) => grpc.perSecond / grpcEcho.perSecond,
  http_cpu: ({ http, httpEcho }) => httpEcho.cpu / http.cpu,
  grpc_cpu: ({ grpc, grpcEcho }) => grpcEcho.cpu / grpc.cpu,
  http_latency: ({ httpCall, httpEchoCall, bareCall }) => (httpEchoCall + bareCall) / httpCall,
  grpc_latency: ({ grpcCall, grpcEchoCall, bareCall }) => (grpcEchoCall + bareCall) / grpcCall,
  batching: ({ lane, bareLoop }) => lane / bareLoop,
  json_decode: ({ native, javascript }) => javascript / native,
};

const results = Object.fromEntries(Object.keys(RATIOS).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  const figures = {};
  for (const name of turns(Object.keys(contenders), round)) {
    progress(`round ${round + 1} of ${rounds}, ${name}`);
    figures[name] = await contenders[name]();
  }
  for (const [name, ratio] of Object.entries(RATIOS)) results[name].push(ratio(figures));
}
const seconds = Math.round((performance.now() - started) / 1000);
progress('looking how busy the machine is');
const busyAfter = await busyShare();
progress('');

const measured = {
  date: new Date().toISOString(),
  commit: commitHere(),
  machine: { ...machineHere(), arch: os.arch() },
  busyShare: rounded(Math.max(busyBefore, busyAfter)),
  rounds,
  seconds,
  ratios: Object.fromEntries(Object.entries(results).map(([name, values]) => [name, preciseSpread(values)])),
};
const { compared, fallen, why } = judge(measured, earlier);
appendHistory(history, fallen.length === 0 ? measured : { ...measured, fallen: fallen.map(({ name }) => name) });
console.table(measured.ratios);
console.log(`${rounds} rounds in ${seconds} s, written to ${path.relative(root, history)}`);
if (given === undefined) spawnSync(process.execPath, [path.join(root, 'bench/trend.mjs')], { stdio: 'inherit' });

for (const { name, value, usual, limit, against } of fallen)
  console.error(`${name} fell to ${value}: it is ${usual} in the ${against} entries, noise goes down to ${limit}`);
if (fallen.length > 0) console.error('if that is meant to be so: node bench/guard.mjs --accept');
else if (why !== null) console.error(`nothing is concluded: ${why}`);
else console.log(`nothing fell beyond the noise of ${compared} entries`);
process.exit(fallen.length > 0 ? EXIT_FALLEN : isQuiet(measured) ? 0 : EXIT_BUSY);
