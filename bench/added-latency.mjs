/**
 * What the server adds to a bare run at concurrency 1: `digits` version 2, one picture, over HTTP-binary and gRPC, against the bare model
 * loop and against plain echo servers that move messages of the same size. Usage: node bench/added-latency.mjs [rounds]
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { grpcCaller, grpcRequest, httpCaller, timeCalls } from './measure/callers.mjs';
import { bareRun, buildReferences, startNode, startServer } from './measure/processes.mjs';
import { median, progress, record, root, rounded } from './measure/record.mjs';

const rounds = Number(process.argv[2] ?? 7);
const CALLS = 2000;
const BARE_SECONDS = 0.2;
const MODEL = path.join(root, 'models/digits/2/model.onnx');

buildReferences();
const penstock = await startServer('models');
const binary = readFileSync(path.join(root, 'models/digits/samples/seven.bin'));
const grpcMessage = grpcRequest(path.join(root, 'models/digits/samples/seven.grpc.json'));

const http = await httpCaller(penstock.http, '/v2/models/digits/infer', binary, { 'Inference-Header-Content-Length': '145' });
const grpc = await grpcCaller(penstock.grpc, grpcMessage);
const replyBytes = { http: (await http.call()).length, grpc: (await grpc.call()).length };
const echo = await startNode((ready) => ['bench/measure/echo-servers.mjs', String(replyBytes.http), String(replyBytes.grpc), ready]);
const contenders = {
  http: http.call,
  grpc: grpc.call,
  httpEcho: (await httpCaller(echo.http, '/v2/models/digits/infer', binary, {})).call,
  grpcEcho: (await grpcCaller(echo.grpc, grpcMessage)).call,
};

const times = { bareRun: [], ...Object.fromEntries(Object.keys(contenders).map((name) => [name, []])) };
for (const call of Object.values(contenders)) await timeCalls(call, CALLS); // warm up
for (let round = 0; round < rounds; round++) {
  progress(`round ${round + 1} of ${rounds}`);
  const names = Object.keys(contenders);
  for (const name of round % 2 === 0 ? names : names.reverse()) times[name].push(median(await timeCalls(contenders[name], CALLS)));
  times.bareRun.push(bareRun(MODEL, { threads: 1, batch: 1, seconds: BARE_SECONDS }).medianUs);
}
progress('');

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
