/**
 * How well the fitted model of a server predicts the highest rate that meets a goal: each cell (a model under settings) is measured, then
 * predicted by a model that was fitted to the other cells of the same model only. Here models run on the CPU, whose speed changes meanwhile
 * (measure/clocked-cells.mjs); prediction-device.mjs is for a device whose time is given.
 * Usage: node bench/prediction.mjs [seconds-per-cell]
 */
import { isEvidence } from '../dist/planning/server-model/leave-one-out.js';
import { betweenBareRuns, isOfOneSpeed, onClockOf } from './measure/clocked-cells.mjs';
import { requireModels } from './measure/models.mjs';
import { cell, goalOf, measureCell, measureCells, secondsPerCell } from './measure/prediction-cells.mjs';
import { judgePredictions } from './measure/prediction-table.mjs';
import { buildReferences } from './measure/processes.mjs';
import { record, rounded } from './measure/record.mjs';

const seconds = secondsPerCell('prediction', 60);
/**
 * A goal leaves room for several runs of the largest batch that the highest rate makes. Models whose highest rate the load generator can send
 * from a core that it shares with the front end, and high enough for the thousands of requests that a proof takes. Their weights stay in
 * the caches of one core: those that memory feeds run up to twice as long while neighbours on the machine use it, which no model of a
 * server foresees.
 */
const models = [
  { name: 'encoder_tiny', latencyMs: () => 20 },
  { name: 'conv_mini', latencyMs: () => 15 },
  { name: 'conv_tiny', latencyMs: () => 40 },
].map((model) => ({ ...model, file: model.name }));
/** Several with two lanes: how much they slow each other down must be known from the others. */
const settings = [cell(1, 1, null), cell(4, 1, null), cell(16, 1, null), cell(16, 1, 2000), cell(4, 2, null), cell(16, 2, null)];
const proves = (measured, model) => isEvidence(measured, goalOf(model, measured.settings)) && isOfOneSpeed(measured);

requireModels(...models.map(({ name }) => name));
buildReferences();
const measured = await measureCells({
  ...{ script: import.meta.filename, models, settings, seconds, proves },
  measure: (each, say) => betweenBareRuns(each.model, say, () => measureCell(each, seconds, say)),
});
const figures = await judgePredictions({
  ...{ measured, proves },
  unprovenBecause: 'the measured rate was not confirmed, no rate was found at which the goal is missed, or the machine changed its speed',
  others: (each, cells) => cells.map((other) => onClockOf(each, other)),
  more: ({ bareRunsUs: { before, after } }) => ({ bareRunsUs: { before: rounded(before), after: rounded(after) } }),
});
record('prediction', { arrivals: 'Poisson', rowsPerRequest: 1, ortThreads: 1, secondsPerCell: seconds }, figures);
process.exit(0);
