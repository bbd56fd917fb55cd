/**
 * CPU time that one small request costs the server's process, the run of a tiny model included, against plain node:http and grpc-js echo
 * servers that move messages of the same size. Usage: node bench/cpu-per-request.mjs [rounds]
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { grpcCaller, grpcInferMessage, httpCaller } from './measure/callers.mjs';
import { closedLoop, closedWindow } from './measure/load.mjs';
import { httpRequest, inferBody, inferRequests, knownRequests, makeRepository, requireModels } from './measure/models.mjs';
import { buildReferences, cpuByThread, cpuSeconds, runLoad, scratch, startNode, startServer } from './measure/processes.mjs';
import { median, progress, ratioSpread, record, rounded, turns } from './measure/record.mjs';

const rounds = Number(process.argv[2] ?? 5);
const SECONDS = 3;
const MODEL = 'mlp_tiny';
const CONNECTIONS = 32;
const [CHANNELS, CALLS_EACH] = [8, 4];

requireModels(MODEL);
buildReferences();
const penstock = await startServer(makeRepository({ [MODEL]: { model: MODEL } }));
const known = knownRequests(MODEL, 1);
const { body, jsonBytes } = inferBody(known[0].tensor, 'y');
const url = `/v2/models/${MODEL}/infer`;
const message = grpcInferMessage(MODEL, known[0].tensor);
const messageFile = path.join(scratch, 'message');
writeFileSync(messageFile, message);

const httpReply = await (await httpCaller(penstock.http, url, body, { 'Inference-Header-Content-Length': jsonBytes })).call();
const grpcReply = await (await grpcCaller(penstock.grpc, message)).call();
if (!grpcReply.includes(httpReply.subarray(-known[0].expected.length))) throw new Error('HTTP and gRPC answer with different values');
const echo = await startNode((readyFile) => [
  'bench/measure/echo-servers.mjs',
  String(httpReply.length),
  String(grpcReply.length),
  readyFile,
]);

const overHttp = ({ http: port, pid }, requests) =>
  closedLoop({ port, requests, connections: CONNECTIONS, seconds: SECONDS, sample: () => sampleOf(pid) });
const overGrpc = ({ grpc: port, pid }) => {
  const records = path.join(scratch, 'grpc-records');
  const args = ['bench/measure/grpc-load.mjs', port, CHANNELS, CALLS_EACH, messageFile, records].map(String);
  const load = (total) => runLoad(process.execPath, [...args, String(total)]);
  return closedWindow({ load, records, seconds: SECONDS, sample: () => sampleOf(pid) });
};
const sampleOf = (pid) => ({ cpu: cpuSeconds(pid), lane: cpuByThread(pid)['penstock-lane'] ?? 0 });

const nothingExpected = [{ bytes: httpRequest(url, body), expected: Buffer.alloc(0) }];
const contenders = {
  http: () => overHttp(penstock, inferRequests(known, MODEL)),
  httpEcho: () => overHttp(echo, nothingExpected),
  grpc: () => overGrpc(penstock),
  grpcEcho: () => overGrpc(echo),
};
const costs = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
const lanes = { http: [], grpc: [], httpEcho: [], grpcEcho: [] };
const rates = { http: [], grpc: [], httpEcho: [], grpcEcho: [] };
for (let round = 0; round < rounds; round++) {
  for (const name of turns(Object.keys(contenders), round)) {
    progress(`round ${round + 1} of ${rounds}, ${name}`);
    const { answers, grown, perSecond } = await contenders[name]();
    costs[name].push((grown.cpu / answers) * 1e6);
    lanes[name].push((grown.lane / answers) * 1e6);
    rates[name].push(perSecond);
  }
}
progress('');
const figures = ['http', 'grpc'].map((protocol) => ({
  protocol: protocol === 'http' ? 'HTTP-binary' : 'gRPC',
  serverCpuUs: rounded(median(costs[protocol])),
  ofThatLanesUs: rounded(median(lanes[protocol])),
  echoCpuUs: rounded(median(costs[`${protocol}Echo`])),
  ratio: ratioSpread(costs[protocol], costs[`${protocol}Echo`]),
  serverPerS: Math.round(median(rates[protocol])),
  echoPerS: Math.round(median(rates[`${protocol}Echo`])),
}));
console.table(figures.map((figure) => ({ ...figure, ratio: figure.ratio.median })));
const load = { http: `${CONNECTIONS} connections`, grpc: `${CHANNELS} connections with ${CALLS_EACH} calls in flight each` };
record('cpu-per-request', { model: `${MODEL}, one row`, requestBytes: body.length, load, rounds, secondsPerRound: SECONDS }, figures);
process.exit(0);
