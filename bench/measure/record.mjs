/** What every benchmark shares: the machine's description, medians, progress, the result file. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Two decimals are more than these machines repeat. */
export const rounded = (value) => Number(value.toFixed(2));

/** Median of the rounds, and how far they lie apart. */
export const spread = (values) => ({
  median: rounded(median(values)),
  low: rounded(Math.min(...values)),
  high: rounded(Math.max(...values)),
});

/** Spread of the quotients of two contenders, round by round. */
export const ratioSpread = (values, references) => spread(values.map((value, round) => value / references[round]));

/** One line that is written over; '' ends it. */
export function progress(text) {
  process.stderr.write(text === '' ? '\r\x1b[K' : `\r\x1b[K${text}`);
}

/** Every contender goes first as often as the others. */
export const turns = (contenders, round) => contenders.map((_, index) => contenders[(index + round) % contenders.length]);

export const resultFile = (name) => path.join(root, 'bench/results', `${name}.json`);

/** The load average tells how busy the machine was with other things. */
export const machineHere = () => ({
  cpu: os.cpus()[0]?.model ?? 'unknown',
  cores: os.cpus().length,
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  kernel: os.release(),
  node: process.version,
  loadAverage: os.loadavg().map(rounded),
});

export const commitHere = () =>
  execFileSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], { cwd: root, encoding: 'utf8' }).trim();

/** Writes bench/results/NAME.json and says where. */
export function record(name, settings, figures) {
  const file = resultFile(name);
  mkdirSync(path.dirname(file), { recursive: true });
  const result = { date: new Date().toISOString().slice(0, 10), commit: commitHere(), machine: machineHere(), settings, figures };
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`written to ${path.relative(root, file)}`);
}

export const readResult = (name) => JSON.parse(readFileSync(resultFile(name), 'utf8'));
