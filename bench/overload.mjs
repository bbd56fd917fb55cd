/**
 * Rows answered in time when three times as many come as the server can answer, against the most it answers in time at any Poisson rate.
 * Every request carries its deadline. Usage: node bench/overload.mjs [rounds] [max-late-ms]
 */
import { arrivals } from './measure/arrivals.mjs';
import { deadlineOf, onTimeRows } from './measure/deadlines.mjs';
import { MAX_LATE_MS } from './measure/load.mjs';
import { inferRequests, knownRequests, makeRepository, ONE_LANE, ONE_THREAD, requireModels } from './measure/models.mjs';
import { buildReferences, startServer } from './measure/processes.mjs';
import { median, progress, ratioSpread, record, rounded, spread, turns } from './measure/record.mjs';

const [rounds = 4, maxLateMs = MAX_LATE_MS] = process.argv.slice(2).map(Number);
const MODEL = 'conv_small';
/** Of the bare loop's rows a second. */
const SEARCH_LOADS = [0.7, 0.8, 0.9, 1, 1.15, 1.3];
const SEARCH_SECONDS = 6;
const SECONDS = 10;
const OVERLOAD = 3;

requireModels(MODEL);
buildReferences();
progress('bare loop');
const deadline = deadlineOf(MODEL);
const server = await startServer(makeRepository({ [MODEL]: { model: MODEL, ...ONE_LANE } }), ONE_THREAD);
const requests = inferRequests(knownRequests(MODEL, 1), MODEL, 'y', deadline.toldUs);
const goodput = async (rate, seconds, seed) => {
  const result = await onTimeRows(server, requests, arrivals('poisson', rate, seconds, seed), deadline, maxLateMs);
  return { ...result, perSecond: result.onTime / seconds };
};

await goodput(0.5 * deadline.rowsPerSecond, 2, 1); // warm up
const search = [];
for (const [index, load] of SEARCH_LOADS.entries()) {
  const rate = load * deadline.rowsPerSecond;
  progress(`looking for the peak: ${rate.toFixed(0)} rows/s`);
  search.push({ rate, ...(await goodput(rate, SEARCH_SECONDS, 10 + index)) });
}
const peak = search.reduce((best, point) => (point.perSecond > best.perSecond ? point : best));
const offered = { peak: peak.rate, overload: OVERLOAD * peak.perSecond };
const results = { peak: [], overload: [] };
for (let round = 0; round < rounds; round++) {
  for (const name of turns(['peak', 'overload'], round)) {
    progress(`round ${round + 1} of ${rounds}: ${name}`);
    results[name].push(await goodput(offered[name], SECONDS, 100 + round));
  }
}
progress('');
await server.stop();
const of = (name, field) => results[name].map((result) => result[field]);
const figures = {
  peakOfferedPerS: rounded(offered.peak),
  overloadOfferedPerS: rounded(offered.overload),
  peakOnTimePerS: spread(of('peak', 'perSecond')),
  overloadOnTimePerS: spread(of('overload', 'perSecond')),
  ratio: ratioSpread(of('overload', 'perSecond'), of('peak', 'perSecond')),
  ratioToBareLoop: rounded(median(of('overload', 'perSecond')) / deadline.rowsPerSecond),
  overloadRefusedShare: spread(of('overload', 'refusedShare')),
  generatorLateP99Ms: spread([...of('peak', 'lateP99Ms'), ...of('overload', 'lateP99Ms')]),
  search: search.map(({ rate, perSecond }) => ({ offeredPerS: rounded(rate), onTimePerS: rounded(perSecond) })),
};
console.table({ onTimeAtPeak: figures.peakOnTimePerS, onTimeAtOverload: figures.overloadOnTimePerS, ratio: figures.ratio });
record('overload', {
  model: `${MODEL}, one row`, arrivals: 'Poisson', deadlineMs: rounded(deadline.seconds * 1e3), toldToServerMs: rounded(deadline.toldUs / 1e3),
  bareRowsPerS: rounded(deadline.rowsPerSecond), rounds, secondsPerRound: SECONDS, ortThreads: 1, maxLateMs,
}, figures); // prettier-ignore
process.exit(0);
