/**
 * How well the fitted model of a server predicts the highest rate that meets a goal: each cell (a model under settings) is measured, then
 * predicted by a model that was fitted to the other cells of the same model only. Cells whose measurement proves nothing are no evidence for
 * a prediction or against it: they are listed apart and count for nothing.
 *
 * A machine that is shared changes its speed from minute to minute, which nobody predicts. So a bare run of the model is timed before and
 * after each cell. Where the two differ, the cell proves nothing and is measured once more; where cells differ, the trials of the others are put on the clock of the
 * cell that is predicted: all their times longer, all their rates lower by the same factor.
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
import { modelFile, requireModels } from './measure/models.mjs';
import { bareRun, buildReferences } from './measure/processes.mjs';
import { progress, record, root, rounded } from './measure/record.mjs';

const LEAST_SECONDS = 5;
const MOST_SECONDS = 3600;
const LONE_SECONDS = 4;
const BARE_SECONDS = 2;
/** Between the bare runs before a cell and those after it. */
const MOST_SPEED_CHANGE = 0.05;
/** Of a cell that proves nothing. Whether it does is known before anything is predicted. */
const MOST_ATTEMPTS = 2;
const [seconds = 60, ...more] = process.argv.slice(2).map(Number);
if (!(seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS) || more.length > 0) {
  console.error(`usage: node bench/prediction.mjs [seconds-per-cell, ${LEAST_SECONDS} to ${MOST_SECONDS}]`);
  process.exit(2);
}
const STEADY = { arrivals: 'poisson', rowsPerRequest: 1, seed: 1 };
/**
 * A goal leaves room for several runs of the largest batch that the highest rate makes. Models whose highest rate the load generator can send
 * from a core that it shares with the front end, and high enough for the thousands of requests that a proof takes. Their weights stay in
 * the caches of one core: those that memory feeds run up to twice as long while neighbours on the machine use it, which no model of a
 * server foresees.
 */
const MODELS = [
  { name: 'encoder_tiny', latencyMs: 20 },
  { name: 'conv_mini', latencyMs: 15 },
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
const SETTINGS = [cell(1, 1, null), cell(4, 1, null), cell(16, 1, null), cell(16, 1, 2000), cell(4, 2, null), cell(16, 2, null)];

requireModels(...MODELS.map(({ name }) => name));
buildReferences();
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

const bareRunUs = ({ name }) => bareRun(modelFile(name), { threads: 1, batch: 1, seconds: BARE_SECONDS }).medianUs;

async function measureBetweenBareRuns({ model, settings }, say) {
  say('bare runs');
  const before = bareRunUs(model);
  const measured = await measure({ model, settings }, say);
  say('bare runs');
  return { ...measured, bareRunsUs: { before, after: bareRunUs(model) } };
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

/** Relative. */
function speedChange({ bareRunsUs: { before, after } }) {
  return Math.max(before, after) / Math.min(before, after) - 1;
}

const provesSomething = (cell, model) => isEvidence(cell, goalOf(model)) && speedChange(cell) <= MOST_SPEED_CHANGE;

async function measureUntilItProves({ model, settings }, say) {
  for (let attempt = 1; ; attempt++) {
    const measured = await measureBetweenBareRuns({ model, settings }, say);
    if (provesSomething(measured, model) || attempt === MOST_ATTEMPTS) return measured;
  }
}

/** The cell as it would have been measured when `other` was. */
function onClockOf(other, cell) {
  const middle = ({ bareRunsUs: { before, after } }) => (before + after) / 2;
  const factor = middle(other) / middle(cell);
  return { ...cell, trials: cell.trials.map((trial) => slowedBy(factor, trial)) };
}

/** What the trials hold says in its name what it is: milliseconds, or a rate a second. */
function slowedBy(factor, value, unit = 1) {
  if (typeof value === 'number') return value * factor ** unit;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => slowedBy(factor, each, unit));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, within(factor, name, each, unit)]));
}

function within(factor, name, value, unit) {
  if (name === 'settings') return value;
  if (/(_ms|Ms)$/.test(name)) return slowedBy(factor, value, 1);
  if (/^rate/.test(name)) return slowedBy(factor, value, -1);
  return typeof value === 'object' || ['value', 'low', 'high'].includes(name) ? slowedBy(factor, value, unit) : value;
}

function goalOf({ latencyMs }) {
  return { percentile: 99, latencyMs };
}

for (const [index, each] of cells.entries()) {
  const left = Math.ceil(((cells.length - index) * (seconds + LONE_SECONDS + 2 * BARE_SECONDS + 4)) / 60);
  const title = `${index + 1} of ${cells.length}, ${left} min left: ${each.model.name} ${settingsName(each.settings)}`;
  progress(title);
  if (!existsSync(fileOf(each)))
    writeWholeFile(fileOf(each), JSON.stringify(await measureUntilItProves(each, (line) => progress(`${title}: ${line}`))));
}

progress('predicting');
const pool = new SimulationPool(usableCpus());
const table = [];
for (const model of MODELS) {
  const measured = cells.filter((each) => each.model === model).map((each) => JSON.parse(readFileSync(fileOf(each), 'utf8')));
  const simulate = (jobs) => pool.run(jobs);
  const options = { ...STEADY, simulate, shared: [], goal: goalOf(model), cpus: usableCpus() };
  for (const each of measured) {
    const { value, low, high } = each.measured;
    const { predicted, error, isWithin, unsafeBy } = await predictLeftOut(each, {
      ...options,
      cells: measured.map((other) => onClockOf(each, other)),
    });
    const judged = provesSomething(each, model);
    table.push({
      model: model.name,
      settings: settingsName(each.settings),
      p99WithinMs: model.latencyMs,
      measuredPerS: { value: rounded(value), low: rounded(low), high: rounded(high) },
      isConfirmed: each.isConfirmed,
      isJudged: judged,
      bareRunsUs: { before: rounded(each.bareRunsUs.before), after: rounded(each.bareRunsUs.after) },
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
  console.log(
    'Not judged, as the measured rate was not confirmed, no rate was found at which the goal is missed, or the machine changed its speed:',
  );
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
