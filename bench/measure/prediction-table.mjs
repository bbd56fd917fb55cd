/** Each measured cell beside what a model of the server predicts that was fitted to the other cells of the same model only. */
import { usableCpus } from '../../dist/config/cpu-limit.js';
import { predictLeftOut } from '../../dist/planning/server-model/leave-one-out.js';
import { SimulationPool } from '../../dist/planning/server-model/simulation-pool.js';
import { settingsName } from '../../dist/planning/server-settings.js';
import { goalOf, STEADY } from './prediction-cells.mjs';
import { progress, rounded } from './record.mjs';

/** Of the printed tables. */
const COLUMNS = [
  ...['model', 'settings', 'p99WithinMs', 'measuredPerS', 'isConfirmed', 'notes'],
  ...['predictedPerS', 'errorPercent', 'isWithin', 'unsafePercent'],
];

/**
 * `measured`: as measureCells has it. Cells of which `proves` says no are no evidence for a prediction or against it: they are listed apart and
 * count for nothing. `others(cell, cells)`: as they are to be held against this one. `more(cell)`: further columns of the result file.
 * Prints the tables, `unprovenBecause` above the second, and returns the figures.
 */
export async function judgePredictions({ measured, proves, unprovenBecause, others = (_, cells) => cells, more = () => ({}) }) {
  progress('predicting');
  const pool = new SimulationPool(usableCpus());
  const table = [];
  for (const { model, cells } of measured) {
    const options = { ...STEADY, simulate: (jobs) => pool.run(jobs), shared: [], cpus: usableCpus() };
    for (const each of cells) {
      const prediction = await predictLeftOut(each, { ...options, goal: goalOf(model, each.settings), cells: others(each, cells) });
      table.push({ ...rowOf(model, each, prediction, proves(each, model)), ...more(each) });
    }
  }
  await pool.close();
  progress('');
  const judged = table.filter(({ isJudged }) => isJudged);
  const unproven = table.filter(({ isJudged }) => !isJudged);
  show(judged);
  if (unproven.length > 0) {
    console.log(`Not judged, as ${unprovenBecause}:`);
    show(unproven);
  }
  return {
    cells: table.length,
    judged: judged.length,
    within5PercentOrInterval: judged.filter(({ isWithin }) => isWithin).length,
    mostUnsafePercent: judged.length === 0 ? null : Math.max(...judged.map(({ unsafePercent }) => unsafePercent)),
    leaveOneOut: table,
  };
}

function rowOf(
  model,
  { settings, measured: { value, low, high }, isConfirmed, notes },
  { predicted, error, isWithin, unsafeBy },
  isJudged,
) {
  return {
    model: model.name,
    settings: settingsName(settings),
    p99WithinMs: model.latencyMs(settings),
    measuredPerS: { value: rounded(value), low: rounded(low), high: rounded(high) },
    isConfirmed,
    isJudged,
    notes,
    predictedPerS: rounded(predicted),
    // Of a measurement that proves nothing there is no error.
    errorPercent: isJudged ? rounded(100 * error) : null,
    isWithin: isJudged ? isWithin : null,
    unsafePercent: isJudged ? rounded(100 * unsafeBy) : null,
  };
}

function show(rows) {
  if (rows.length === 0) return;
  console.table(
    rows.map((row) => {
      const { value, low, high } = row.measuredPerS;
      return { ...row, measuredPerS: `${value} (${low} to ${high})`, notes: row.notes.length };
    }),
    COLUMNS,
  );
}
