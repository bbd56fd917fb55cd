/**
 * CPU time that one small request costs the server's process, the run of a tiny model included, against plain node:http and grpc-js echo
 * servers that move messages of the same size. Usage: node bench/cpu-per-request.mjs [rounds]
 */
import { requireModels } from './measure/models.mjs';
import { buildReferences } from './measure/processes.mjs';
import { median, progress, ratioSpread, record, rounded, turns } from './measure/record.mjs';
import { SMALL_LOAD, startSmallContenders } from './measure/small-contenders.mjs';

const rounds = Number(process.argv[2] ?? 5);
const SECONDS = 3;
const MODEL = 'mlp_tiny';

requireModels(MODEL);
buildReferences();
const { loads: contenders, requestBytes } = await startSmallContenders(MODEL);
const costs = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
const lanes = { http: [], grpc: [], httpEcho: [], grpcEcho: [] };
const rates = { http: [], grpc: [], httpEcho: [], grpcEcho: [] };
for (let round = 0; round < rounds; round++) {
  for (const name of turns(Object.keys(contenders), round)) {
    progress(`round ${round + 1} of ${rounds}, ${name}`);
    const { answers, grown, perSecond } = await contenders[name](SECONDS);
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
record('cpu-per-request', { model: `${MODEL}, one row`, requestBytes, load: SMALL_LOAD, rounds, secondsPerRound: SECONDS }, figures);
process.exit(0);
