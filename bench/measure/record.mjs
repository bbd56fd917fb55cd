/** What every benchmark shares: the machine's description, medians, the result file. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
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

/** Builds the reference programs; returns the folder they are in. */
export function buildReferences() {
  const folder = path.join(root, 'build/bench');
  for (const args of [
    ['-S', root, '-B', folder, '-DCMAKE_BUILD_TYPE=Release', '-DBUILD_ADDON=OFF', '-DBUILD_BENCH=ON'],
    ['--build', folder, '--target', 'json_decode', 'bare_run', '-j2'],
  ]) {
    const { status, stdout, stderr } = spawnSync('cmake', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`cmake ${args.join(' ')} failed:\n${stdout}${stderr}`);
  }
  return folder;
}

/** Writes bench/results/NAME.json and says where. */
export function record(name, settings, figures) {
  const machine = {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    node: process.version,
    loadAverage: os.loadavg().map(rounded),
  };
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const file = path.join(root, 'bench/results', `${name}.json`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), commit, machine, settings, figures }, null, 2)}\n`);
  console.log(`written to ${path.relative(root, file)}`);
}
