/**
 * How well the fitted model of a server predicts the highest rate that meets a goal: each cell (a model under settings) is measured, then
 * predicted by a model that was fitted to the other cells of the same model only. Cells whose measurement proves nothing are no evidence for
 * a prediction or against it: they are listed apart and count for nothing.
 * Usage: node bench/prediction.mjs [seconds-per-cell]
 * What was interrupted goes on where it was: finished cells of the same build, machine and model files are taken from build/prediction.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { usableCpus } from '../dist/config/cpu-limit.js';
import { runFacts } from '../dist/planning/measure/machine.js';
import { findMaxRate } from '../dist/planning/measure/max-rate.js';
import { MeasuredServer } from '../dist/planning/measure/measured-server.js';
import { openModel } from '../dist/planning/measure/model-under-test.js';
import { isEvidence, predictLeftOut } from '../dist/planning/server-model/leave-one-out.js';
import { SimulationPool } from '../dist/planning/server-model/simulation-pool.js';
import { settingsName } from '../dist/planning/server-settings.js';
import { writeWholeFile } from '../dist/planning/whole-file.js';
import { requireModels } from './measure/models.mjs';
import { progress, record, root, rounded } from './measure/record.mjs';

const LEAST_SECONDS = 5;
const MOST_SECONDS = 3600;
const LONE_SECONDS = 4;
const [seconds = 60, ...more] = process.argv.slice(2).map(Number);
if (!(seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS) || more.length > 0) {
  console.error(`usage: node bench/prediction.mjs [seconds-per-cell, ${LEAST_SECONDS} to ${MOST_SECONDS}]`);
  process.exit(2);
}
const STEADY = { arrivals: 'poisson', rowsPerRequest: 1, seed: 1 };
/**
 * A goal leaves room for several runs of the largest batch that the highest rate makes. Models whose highest rate the load generator can send
 * from a core that it shares with the front end, and high enough for the thousands of requests that a proof takes.
 */
const MODELS = [
  { name: 'mlp_20mb', latencyMs: 25 },
  { name: 'mlp_60mb', latencyMs: 50 },
  { name: 'conv_tiny', latencyMs: 40 },
];
/** Of the printed tables. */
const COLUMNS = [
  ...['model', 'settings', 'p99WithinMs', 'measuredPerS', 'isConfirmed', 'notes'],
  ...['predictedPerS', 'errorPercent', 'isWithin', 'unsafePercent'],
];
/** One thread a run: the other core is left to front end and generator, which would be on other machines. */
const cell = (maxBatchSize, lanes, maxQueueDelayUs) => ({ maxBatchSize, lanes, maxQueueDelayUs, cpuThreads: 1 });
/** Several with two lanes: how much they slow each other down must be known from the others. */
const SETTINGS = [cell(1, 1, null), cell(4, 1, null), cell(16, 1, null), cell(16, 1, 2000), cell(4, 2, null), cell(64, 2, null)];

requireModels(...MODELS.map(({ name }) => name));
const folder = path.join(root, 'build/prediction');
mkdirSync(folder, { recursive: true });
const cells = MODELS.flatMap((model) => SETTINGS.map((settings) => ({ model, settings })));
const code = hashOf([import.meta.filename, ...builtFiles()].map((file) => readFileSync(file)));
const hashes = new Map();
for (const model of MODELS) hashes.set(model, hashOf([code, JSON.stringify({ model, seconds, facts: runFacts(await opened(model)) })]));
const fileOf = ({ model, settings }) => path.join(folder, `${model.name}-${settingsName(settings)}-${hashes.get(model)}.json`);
const never = new AbortController().signal;

function hashOf(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 12);
}

/** What is measured is what was built, whatever the commit: a working tree may have changed since. The engine is among the facts. */
function builtFiles() {
  const names = readdirSync(path.join(root, 'dist'), { recursive: true }).filter((name) => name.endsWith('.js'));
  return names.sort().map((name) => path.join(root, 'dist', name));
}

function opened({ name }) {
  return openModel(path.join(root, 'bench/models', name));
}

/** Its highest rate, with a lone request first: where the fixed part of the latency comes from. */
async function measure({ model, settings }, say) {
  const server = await MeasuredServer.start(await opened(model), settings, never);
  try {
    say('one request at a time');
    const lone = await server.measure({ ...STEADY, rate: null, inFlight: 1, seconds: LONE_SECONDS, goalMs: null }, never);
    const found = await findMaxRate({
      ...{ ...STEADY, settings, goal: goalOf(model), budgetS: seconds, firstGuess: null, progress: ({ text }) => say(text) },
      measure: (load) => server.measure(load, never),
    });
    return { settings, measured: found.rate, isConfirmed: found.isConfirmed, notes: found.notes, trials: [lone, ...found.trials] };
  } finally {
    await server.stop();
  }
}

function goalOf({ latencyMs }) {
  return { percentile: 99, latencyMs };
}

for (const [index, each] of cells.entries()) {
  const left = Math.ceil(((cells.length - index) * (seconds + LONE_SECONDS + 3)) / 60);
  const title = `${index + 1} of ${cells.length}, ${left} min left: ${each.model.name} ${settingsName(each.settings)}`;
  progress(title);
  if (!existsSync(fileOf(each))) writeWholeFile(fileOf(each), JSON.stringify(await measure(each, (line) => progress(`${title}: ${line}`))));
}

progress('predicting');
const pool = new SimulationPool(usableCpus());
const table = [];
for (const model of MODELS) {
  const measured = cells.filter((each) => each.model === model).map((each) => JSON.parse(readFileSync(fileOf(each), 'utf8')));
  const simulate = (jobs) => pool.run(jobs);
  const others = { ...STEADY, simulate, cells: measured, shared: [], goal: goalOf(model), cpus: usableCpus() };
  for (const each of measured) {
    const { value, low, high } = each.measured;
    const { predicted, error, isWithin, unsafeBy } = await predictLeftOut(each, others);
    const judged = isEvidence(each, goalOf(model));
    table.push({
      model: model.name,
      settings: settingsName(each.settings),
      p99WithinMs: model.latencyMs,
      measuredPerS: { value: rounded(value), low: rounded(low), high: rounded(high) },
      isConfirmed: each.isConfirmed,
      isJudged: judged,
      notes: each.notes,
      predictedPerS: rounded(predicted),
      // Of a measurement that proves nothing there is no error.
      errorPercent: judged ? rounded(100 * error) : null,
      isWithin: judged ? isWithin : null,
      unsafePercent: judged ? rounded(100 * unsafeBy) : null,
    });
  }
}
await pool.close();
progress('');
const shown = (rows) => {
  if (rows.length === 0) return;
  console.table(
    rows.map((row) => {
      const { value, low, high } = row.measuredPerS;
      return { ...row, measuredPerS: `${value} (${low} to ${high})`, notes: row.notes.length };
    }),
    COLUMNS,
  );
};
const judged = table.filter(({ isJudged }) => isJudged);
const unproven = table.filter(({ isJudged }) => !isJudged);
shown(judged);
if (unproven.length > 0) {
  console.log('Not judged, as the measured rate was not confirmed or no rate was found that the server misses the goal at:');
  shown(unproven);
}
record('prediction', { arrivals: 'Poisson', rowsPerRequest: 1, ortThreads: 1, secondsPerCell: seconds }, {
  cells: table.length,
  judged: judged.length,
  within5PercentOrInterval: judged.filter(({ isWithin }) => isWithin).length,
  mostUnsafePercent: judged.length === 0 ? null : Math.max(...judged.map(({ unsafePercent }) => unsafePercent)),
  leaveOneOut: table,
}); // prettier-ignore
process.exit(0);
