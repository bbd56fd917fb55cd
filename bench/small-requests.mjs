/**
 * Rows a second of a tiny model over HTTP-binary with 64 closed-loop clients, against a plain fastify + onnxruntime-node server that runs
 * the model once for each request. Usage: node bench/small-requests.mjs [rounds]
 */
import { closedLoop } from './measure/load.mjs';
import { inferRequests, knownRequests, makeRepository, modelFile, requireModels } from './measure/models.mjs';
import { buildReferences, cpuSeconds, startNode, startServer } from './measure/processes.mjs';
import { median, progress, ratioSpread, record, rounded, turns } from './measure/record.mjs';

const rounds = Number(process.argv[2] ?? 5);
const CLIENTS = 64;
const SECONDS = 3;
const MODEL = 'mlp_tiny';

requireModels(MODEL);
buildReferences();
const servers = {
  penstock: await startServer(makeRepository({ [MODEL]: { model: MODEL } })),
  plain: await startNode((readyFile) => ['bench/measure/plain-server.mjs', modelFile(MODEL), readyFile]),
};
const requests = inferRequests(knownRequests(MODEL, 1), MODEL);
const rates = { penstock: [], plain: [] };
const costs = { penstock: [], plain: [] };
for (let round = 0; round < rounds; round++) {
  for (const name of turns(Object.keys(servers), round)) {
    progress(`round ${round + 1} of ${rounds}, ${name}`);
    const { http, pid } = servers[name];
    const sample = () => ({ cpu: cpuSeconds(pid) });
    const { perSecond, answers, grown } = await closedLoop({ port: http, requests, connections: CLIENTS, seconds: SECONDS, sample });
    rates[name].push(perSecond);
    costs[name].push((grown.cpu / answers) * 1e6);
  }
}
progress('');
const figures = {
  penstockRowsPerS: rounded(median(rates.penstock)),
  plainRowsPerS: rounded(median(rates.plain)),
  ratio: ratioSpread(rates.penstock, rates.plain),
  penstockCpuUs: rounded(median(costs.penstock)),
  plainCpuUs: rounded(median(costs.plain)),
};
console.table({ ...figures, ratio: figures.ratio.median });
record('small-requests', { model: `${MODEL}, one row`, clients: CLIENTS, rounds, secondsPerRound: SECONDS }, figures);
process.exit(0);
