/**
 * How well the fitted model of a server predicts the highest rate that meets a goal: each cell (a model under settings) is measured, then
 * predicted by a model that was fitted to the other cells of the same model only.
 * Usage: node bench/prediction.mjs [seconds-per-cell]
 * What was interrupted goes on where it was: finished cells of the same commit are taken from build/prediction.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { usableCpus } from '../dist/config/cpu-limit.js';
import { findMaxRate } from '../dist/planning/measure/max-rate.js';
import { MeasuredServer } from '../dist/planning/measure/measured-server.js';
import { openModel } from '../dist/planning/measure/model-under-test.js';
import { leaveOneOut } from '../dist/planning/server-model/leave-one-out.js';
import { SimulationPool } from '../dist/planning/server-model/simulation-pool.js';
import { settingsName } from '../dist/planning/server-settings.js';
import { writeWholeFile } from '../dist/planning/whole-file.js';
import { requireModels } from './measure/models.mjs';
import { progress, record, root, rounded } from './measure/record.mjs';

const [seconds = 60] = process.argv.slice(2).map(Number);
const LONE_SECONDS = 4;
const STEADY = { arrivals: 'poisson', rowsPerRequest: 1, seed: 1 };
const GENERATED = ['mlp_20mb', 'conv_small'];
/** A goal leaves room for several runs of the largest batch that the highest rate makes. */
const MODELS = [
  { name: 'digits', folder: 'models/digits', latencyMs: 10 },
  { name: 'mlp_20mb', folder: 'bench/models/mlp_20mb', latencyMs: 25 },
  { name: 'conv_small', folder: 'bench/models/conv_small', latencyMs: 120 },
];
/** One thread a run: the other core is left to front end and generator, which would be on other machines. */
const cell = (maxBatchSize, lanes, maxQueueDelayUs) => ({ maxBatchSize, lanes, maxQueueDelayUs, cpuThreads: 1 });
/** Several with two lanes: how much they slow each other down must be known from the others. */
const SETTINGS = [cell(1, 1, null), cell(4, 1, null), cell(16, 1, null), cell(16, 1, 2000), cell(4, 2, null), cell(64, 2, null)];

requireModels(...GENERATED);
const commit = execFileSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], { cwd: root, encoding: 'utf8' }).trim();
const folder = path.join(root, 'build/prediction', `${commit}-${seconds}s`);
mkdirSync(folder, { recursive: true });
const cells = MODELS.flatMap((model) => SETTINGS.map((settings) => ({ model, settings })));
const fileOf = ({ model, settings }) => path.join(folder, `${model.name}-${settingsName(settings)}.json`);
const never = new AbortController().signal;

/** Its highest rate, with a lone request first: where the fixed part of the latency comes from. */
async function measure({ model, settings }, say) {
  const server = await MeasuredServer.start(await openModel(path.join(root, model.folder)), settings, never);
  try {
    say('one request at a time');
    const lone = await server.measure({ ...STEADY, rate: null, inFlight: 1, seconds: LONE_SECONDS }, never);
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
  const judged = await leaveOneOut(measured, goalOf(model), usableCpus(), { ...STEADY, simulate });
  for (const [index, { settings, measured: rate, predicted, error, isWithin, unsafeBy }] of judged.entries()) {
    table.push({
      model: model.name,
      settings: settingsName(settings),
      p99WithinMs: model.latencyMs,
      measuredPerS: { value: rounded(rate.value), low: rounded(rate.low), high: rounded(rate.high) },
      isConfirmed: measured[index].isConfirmed,
      notes: measured[index].notes,
      predictedPerS: rounded(predicted),
      errorPercent: rounded(100 * error),
      isWithin,
      unsafePercent: rounded(100 * unsafeBy),
    });
  }
}
await pool.close();
progress('');
console.table(
  table.map(({ measuredPerS: { value, low, high }, notes, ...row }) => ({
    ...row,
    measuredPerS: `${value} (${low} to ${high})`,
    notes: notes.length,
  })),
);
record('prediction', { arrivals: 'Poisson', rowsPerRequest: 1, ortThreads: 1, secondsPerCell: seconds }, {
  cells: table.length,
  within5PercentOrInterval: table.filter(({ isWithin }) => isWithin).length,
  mostUnsafePercent: Math.max(...table.map(({ unsafePercent }) => unsafePercent)),
  leaveOneOut: table,
}); // prettier-ignore
process.exit(0);
