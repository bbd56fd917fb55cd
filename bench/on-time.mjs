/**
 * Rows answered in time by one server whose model is configured four ways: eager and two fixed delays, which know no deadline, and the rule,
 * which is told each request's. Four arrival patterns, three loads; all four see the same schedule in a round.
 * Usage: node bench/on-time.mjs [rounds] [max-late-ms]
 */
import { arrivals, PATTERN_NAMES } from './measure/arrivals.mjs';
import { deadlineOf, onTimeRows } from './measure/deadlines.mjs';
import { closedLoop, MAX_LATE_MS } from './measure/load.mjs';
import { inferRequests, knownRequests, makeRepository, ONE_LANE, ONE_THREAD, requireModels } from './measure/models.mjs';
import { buildReferences, startServer } from './measure/processes.mjs';
import { median, progress, record, rounded, spread, turns } from './measure/record.mjs';

const [rounds = 3, maxLateMs = MAX_LATE_MS] = process.argv.slice(2).map(Number);
const MODEL = 'conv_small';
/** Of the rows a second that 64 closed-loop clients get out of the eager configuration. */
const LOADS = [0.6, 0.9, 1.5];
const SECONDS = 3.5;
/** Two contenders are equal when no more apart than either's rounds are among themselves, or than this. */
const LEAST_NOISE = 0.01;
const delayed = (microseconds) => ({ dynamic_batching: { max_queue_delay_microseconds: microseconds } });
const VARIANTS = {
  eager: { fields: {}, tellsDeadline: false },
  'delay 2 ms': { fields: delayed(2000), tellsDeadline: false },
  'delay 5 ms': { fields: delayed(5000), tellsDeadline: false },
  rule: { fields: {}, tellsDeadline: true },
};
const NAMES = Object.keys(VARIANTS);
const servedName = (variant) => variant.replaceAll(' ', '_');

requireModels(MODEL);
buildReferences();
progress('bare loop');
const deadline = deadlineOf(MODEL);
const repository = makeRepository(
  Object.fromEntries(NAMES.map((name) => [servedName(name), { model: MODEL, ...ONE_LANE, ...VARIANTS[name].fields }])),
);
const server = await startServer(repository, ONE_THREAD);
const known = knownRequests(MODEL, 1);
const requests = Object.fromEntries(
  NAMES.map((name) => [name, inferRequests(known, servedName(name), 'y', VARIANTS[name].tellsDeadline ? deadline.toldUs : 0)]),
);
progress('capacity');
const capacity = (await closedLoop({ port: server.http, requests: requests.eager, connections: 64, seconds: 4 })).perSecond;
for (const name of NAMES) await onTimeRows(server, requests[name], arrivals('poisson', 0.5 * capacity, 1, 1), deadline, maxLateMs); // warm up

const cells = PATTERN_NAMES.flatMap((pattern) => LOADS.map((load) => ({ pattern, load })));
const lateP99Ms = [];
for (const [index, cell] of cells.entries()) {
  cell.shares = Object.fromEntries(NAMES.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const schedule = arrivals(cell.pattern, cell.load * capacity, SECONDS, 1000 * (round + 1) + index);
    for (const name of turns(NAMES, round + index)) {
      progress(`cell ${index + 1} of ${cells.length}, ${cell.pattern} at ${cell.load}: round ${round + 1} of ${rounds}, ${name}`);
      const result = await onTimeRows(server, requests[name], schedule, deadline, maxLateMs);
      cell.shares[name].push(result.share);
      lateP99Ms.push(result.lateP99Ms);
    }
  }
}
progress('');
await server.stop();

/** Share of rows in time that the rule is behind the best of the others, and what is noise. */
function judge({ pattern, load, shares }) {
  const ruleMedian = median(shares.rule);
  const others = NAMES.filter((name) => name !== 'rule').sort((a, b) => median(shares[b]) - median(shares[a]));
  const [best] = others;
  const width = (values) => Math.max(...values) - Math.min(...values);
  // Rounds differ by their schedules as well, which is no noise: differences of one round are compared.
  const differences = shares.rule.map((share, round) => share - shares[best][round]);
  const noise = Math.max(LEAST_NOISE, width(differences) / 2);
  const behind = median(differences) < -noise;
  return {
    pattern,
    load,
    ...mapped(shares),
    best: ruleMedian >= median(shares[best]) ? 'rule' : best,
    noise: rounded(noise),
    ruleBehind: behind,
  };
}
const mapped = (shares) => Object.fromEntries(NAMES.map((name) => [name, spread(shares[name])]));

const figures = cells.map(judge);
console.table(
  figures.map((cell) => ({
    pattern: cell.pattern,
    load: cell.load,
    ...Object.fromEntries(NAMES.map((name) => [name, cell[name].median])),
    ruleBehind: cell.ruleBehind,
  })),
);
console.log(`the rule is best or equal within noise in ${figures.filter((cell) => !cell.ruleBehind).length} of ${figures.length} cells`);
record('on-time', {
  model: `${MODEL}, one row`, figure: 'share of rows answered in time', capacityRowsPerS: rounded(capacity), deadlineMs: rounded(deadline.seconds * 1e3),
  toldToServerMs: rounded(deadline.toldUs / 1e3), rounds, secondsPerRound: SECONDS, ortThreads: 1, maxLateMs,
  generatorLateP99Ms: spread(lateP99Ms),
}, figures); // prettier-ignore
process.exit(0);
