/** Highest rates of models under settings, measured once and kept: what predictions are held against. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { runFacts } from '../../dist/planning/measure/machine.js';
import { findMaxRate } from '../../dist/planning/measure/max-rate.js';
import { MeasuredServer } from '../../dist/planning/measure/measured-server.js';
import { openModel } from '../../dist/planning/measure/model-under-test.js';
import { settingsName } from '../../dist/planning/server-settings.js';
import { writeWholeFile } from '../../dist/planning/whole-file.js';
import { progress, root } from './record.mjs';

const LEAST_SECONDS = 5;
const MOST_SECONDS = 3600;
/** With a lone request. */
const LONE_SECONDS = 4;
/** For a server to start and stop, and for what is asked of it besides. */
const AROUND_SECONDS = 8;
/** Of a cell that proves nothing. Whether it does is known before anything is predicted. */
const MOST_ATTEMPTS = 2;
export const STEADY = { arrivals: 'poisson', rowsPerRequest: 1, seed: 1 };

export const predictionFolder = path.join(root, 'build/prediction');
const never = new AbortController().signal;

/** From the command line; ends the process where it makes no sense. */
export function secondsPerCell(script, usual) {
  const [seconds = usual, ...more] = process.argv.slice(2).map(Number);
  if (seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS && more.length === 0) return seconds;
  console.error(`usage: node bench/${script}.mjs [seconds-per-cell, ${LEAST_SECONDS} to ${MOST_SECONDS}]`);
  process.exit(2);
}

/** One thread a run: the other core is left to front end and generator, which would be on other machines. */
export const cell = (maxBatchSize, lanes, maxQueueDelayUs) => ({ maxBatchSize, lanes, maxQueueDelayUs, cpuThreads: 1 });

export const goalOf = ({ latencyMs }, settings) => ({ percentile: 99, latencyMs: latencyMs(settings) });

/** Its highest rate, with a lone request first: where the fixed part of the latency comes from. */
export async function measureCell({ model, settings }, seconds, say) {
  const server = await MeasuredServer.start(await opened(model), settings, never);
  try {
    say('one request at a time');
    const lone = await server.measure({ ...STEADY, rate: null, inFlight: 1, seconds: LONE_SECONDS, goalMs: null }, never);
    const found = await findMaxRate({
      ...{ ...STEADY, settings, goal: goalOf(model, settings), budgetS: seconds, firstGuess: null, progress: ({ text }) => say(text) },
      measure: (load) => server.measure(load, never),
    });
    return { settings, measured: found.rate, isConfirmed: found.isConfirmed, notes: found.notes, trials: [lone, ...found.trials] };
  } finally {
    await server.stop();
  }
}

/**
 * All cells of `models`, by model: {model, cells}. Each model is {name, file, latencyMs(settings)}, and what `prepare` makes servers see of it.
 * `measure` takes a cell and what it says meanwhile; a cell of which `proves` says no is measured twice. What was interrupted goes on where it was: finished
 * cells of the same script, build, machine, model files and lengths are taken from build/prediction.
 */
export async function measureCells({ script, models, settings, seconds, prepare = () => {}, measure, proves }) {
  mkdirSync(predictionFolder, { recursive: true });
  const code = hashOf([script, import.meta.filename, ...builtFiles()].map((file) => readFileSync(file)));
  const count = models.length * settings.length;
  const measured = [];
  let done = 0;
  for (const model of models) {
    prepare(model);
    const hash = hashOf([code, JSON.stringify({ model, seconds, facts: runFacts(await opened(model)) })]);
    const cells = [];
    for (const each of settings) {
      const left = Math.ceil(((count - done) * (seconds + LONE_SECONDS + AROUND_SECONDS)) / 60);
      const title = `${++done} of ${count}, ${left} min left: ${model.name} ${settingsName(each)}`;
      progress(title);
      const file = path.join(predictionFolder, `${model.name}-${settingsName(each)}-${hash}.json`);
      if (!existsSync(file)) {
        const found = await untilItProves({ model, settings: each }, measure, proves, (line) => progress(`${title}: ${line}`));
        writeWholeFile(file, JSON.stringify(found));
      }
      cells.push(JSON.parse(readFileSync(file, 'utf8')));
    }
    measured.push({ model, cells });
  }
  return measured;
}

async function untilItProves(each, measure, proves, say) {
  for (let attempt = 1; ; attempt++) {
    const measured = await measure(each, say);
    if (proves(measured, each.model) || attempt === MOST_ATTEMPTS) return measured;
  }
}

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

function opened({ file }) {
  return openModel(path.join(root, 'bench/models', file));
}
