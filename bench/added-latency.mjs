/**
 * What the server adds to a bare run at concurrency 1: `digits` version 2, one picture, over HTTP-binary and gRPC, against the bare model
 * loop and against plain echo servers that move messages of the same size. Usage: node bench/added-latency.mjs [rounds]
 */
import { execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { grpcCaller, grpcRequest, httpCaller, timeCalls } from './measure/callers.mjs';
import { buildReferences, median, record, root, rounded } from './measure/record.mjs';

const rounds = Number(process.argv[2] ?? 7);
const CALLS = 2000;
const MODEL = path.join(root, 'models/digits/2/model.onnx');
const ORT = path.join(
  path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  `bin/napi-v6/linux/${process.arch}/libonnxruntime.so.1`,
);

const folder = mkdtempSync(path.join(tmpdir(), 'penstock-bench-'));
const children = [];

/** Starts a Node program that writes its ports as JSON to a file once it serves. */
async function serve(name, args) {
  const ready = path.join(folder, `${name}.json`);
  children.push(spawn(process.execPath, [...args(ready)], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }));
  while (!existsSync(ready)) await sleep(20);
  return JSON.parse(readFileSync(ready, 'utf8'));
}

const free = ['--host', '127.0.0.1', '--http-port', '0', '--grpc-port', '0', '--metrics-port', '0', '--log-level', 'error'];
const penstock = await serve('penstock', (ready) => [
  'dist/main.js', 'serve', '--model-repository', 'models', '--drain-delay-secs', '0', '--ready-file', ready, ...free,
]); // prettier-ignore
const binary = readFileSync(path.join(root, 'models/digits/samples/seven.bin'));
const grpcMessage = grpcRequest(path.join(root, 'models/digits/samples/seven.grpc.json'));

const http = await httpCaller(penstock.http, '/v2/models/digits/infer', binary, { 'Inference-Header-Content-Length': '145' });
const grpc = await grpcCaller(penstock.grpc, grpcMessage);
const replyBytes = { http: (await http.call()).length, grpc: (await grpc.call()).length };
const echo = await serve('echo', (ready) => ['bench/measure/echo-servers.mjs', String(replyBytes.http), String(replyBytes.grpc), ready]);
const contenders = {
  http: http.call,
  grpc: grpc.call,
  httpEcho: (await httpCaller(echo.http, '/v2/models/digits/infer', binary, {})).call,
  grpcEcho: (await grpcCaller(echo.grpc, grpcMessage)).call,
};

const program = path.join(buildReferences(), 'bare_run');
const times = { bareRun: [], ...Object.fromEntries(Object.keys(contenders).map((name) => [name, []])) };
for (const call of Object.values(contenders)) await timeCalls(call, CALLS); // warm up
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`\rround ${round + 1} of ${rounds}   `);
  const names = Object.keys(contenders);
  for (const name of round % 2 === 0 ? names : names.reverse()) times[name].push(median(await timeCalls(contenders[name], CALLS)));
  times.bareRun.push(JSON.parse(execFileSync(program, [ORT, MODEL, '1', String(CALLS)], { encoding: 'utf8' })).medianUs);
}
process.stderr.write('\n');
for (const child of children) child.kill('SIGTERM');
rmSync(folder, { recursive: true });

const us = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
const figures = ['http', 'grpc'].map((protocol) => ({
  protocol: protocol === 'http' ? 'HTTP-binary' : 'gRPC',
  bareRunUs: rounded(us.bareRun),
  serverUs: rounded(us[protocol]),
  echoUs: rounded(us[`${protocol}Echo`]),
  addedToBareRunUs: rounded(us[protocol] - us.bareRun),
  addedToEchoAndRunUs: rounded(us[protocol] - us[`${protocol}Echo`] - us.bareRun),
}));
console.table(figures);
record(
  'added-latency',
  { model: 'digits version 2, one picture', concurrency: 1, rounds, callsPerRound: CALLS, figure: 'median of p50' },
  figures,
);
process.exit(0);
