/**
 * The table of prediction.mjs for a device whose time is given. Server process, sockets, load generator, batcher, lanes and the path of a GPU
 * (copies, streams, turns, padding) are real; the time of a run is not: the stand-ins for driver and CUDA provider (test/fake-driver) let each
 * take a fixed part and a part for each row, as a script says. So the figures say how well the planner knows the server, whatever the speed of
 * the CPU at the moment, and nothing about any GPU.
 * Usage: node bench/prediction-device.mjs [seconds-per-cell]
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isEvidence } from '../dist/planning/server-model/leave-one-out.js';
import { requireModels } from './measure/models.mjs';
import { cell, goalOf, measureCell, measureCells, predictionFolder, secondsPerCell } from './measure/prediction-cells.mjs';
import { judgePredictions } from './measure/prediction-table.mjs';
import { record, root } from './measure/record.mjs';

const seconds = secondsPerCell('prediction-device', 45);
/** Next to nothing to compute: what the CPU does of a run is part of the time that the device is given. */
const MODEL = 'mlp_tiny';
/**
 * A goal is so many runs of the largest batch. With more, lanes would be busy nearly all the time at the highest rate: late answers would come
 * in such clusters that a proof took minutes.
 */
const RUNS_IN_GOAL = 6;
/** From a run that hardly depends on its rows to one that is all rows. */
const models = [
  { fixedUs: 3000, perRowUs: 50 },
  { fixedUs: 2000, perRowUs: 500 },
  { fixedUs: 1000, perRowUs: 1000 },
].map(({ fixedUs, perRowUs }) => ({
  ...{ name: `${fixedUs}us+${perRowUs}us`, file: MODEL, fixedUs, perRowUs },
  latencyMs: ({ maxBatchSize }) => Math.round((RUNS_IN_GOAL * (fixedUs + perRowUs * maxBatchSize)) / 1000),
}));
const settings = [cell(1, 1, null), cell(4, 1, null), cell(16, 1, null), cell(16, 1, 2000), cell(4, 2, null), cell(16, 2, null)];
const proves = (measured, model) =>
  isEvidence(measured, goalOf(model, measured.settings)) && measured.trials.every(({ gpus }) => gpus === 1);

requireModels(MODEL);
useFakeLibraries();
const measured = await measureCells({
  ...{ script: import.meta.filename, models, settings, seconds, proves },
  prepare: useDevice,
  measure: (each, say) => measureCell(each, seconds, say),
});
const figures = await judgePredictions({
  ...{ measured, proves },
  unprovenBecause: 'the measured rate was not confirmed, or no rate was found at which the goal is missed',
});
const about = 'the time of runs is scripted: microseconds of a run, and of each of its rows; everything else is real';
record('prediction-device', { arrivals: 'Poisson', rowsPerRequest: 1, device: about, secondsPerCell: seconds }, figures);
process.exit(0);

/** Servers that are measured see what we see. */
function useFakeLibraries() {
  const { status, stderr } = spawnSync(process.execPath, [path.join(root, 'scripts/fake-driver.mjs')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the fake driver cannot be built:\n${stderr}`);
  const folder = path.join(root, 'build/native-cmake/fake-driver');
  process.env.LD_LIBRARY_PATH = folder;
  process.env.NVIDIA_VISIBLE_DEVICES = 'all';
  process.env.PENSTOCK_ORT_LIBRARY = path.join(folder, 'ort/libonnxruntime.so.1');
}

/** The script's name is one of the facts by which cells are told apart. */
function useDevice({ name, fixedUs, perRowUs }) {
  mkdirSync(predictionFolder, { recursive: true });
  process.env.FAKE_GPU_SCRIPT = path.join(predictionFolder, `device-${name}`);
  writeFileSync(process.env.FAKE_GPU_SCRIPT, `ort delay RunWithBinding ${fixedUs}us ${perRowUs}us/row\n`);
}
