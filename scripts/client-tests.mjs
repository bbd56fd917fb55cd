/** The public Python clients against a running server: test/clients/, with packages from a virtual environment. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root, run } from './processes.mjs';
import { verdict } from './test-results.mjs';

const TIMEOUT_MS = 10 * 60_000;
const environment = path.resolve(root, process.env.PENSTOCK_TEST_VENV ?? path.join('build', 'venv'));
const python = path.join(environment, 'bin', 'python');
const folder = path.join('test', 'clients');

export async function clientTestsMissing() {
  const check = await run(python, ['-c', 'import numpy, tritonclient.http, tritonclient.grpc'], { capture: true });
  if (check.code === 0) return undefined;
  return (
    `the Python package tritonclient: "python3 -m venv build/venv && build/venv/bin/pip install -r ${folder}/requirements.txt", ` +
    'or PENSTOCK_TEST_VENV = the folder of an environment that has it'
  );
}

/** Runs test/clients/run.sh or run.py; a line `N passed, N failed` (pytest's will do) is counted, otherwise the exit code is. */
export async function runClientTests() {
  const [program, script] = existsSync(path.join(root, folder, 'run.sh')) ? ['bash', 'run.sh'] : [python, 'run.py'];
  const env = { PENSTOCK_TEST_VENV: environment, PYTHON: python, PYTHONDONTWRITEBYTECODE: '1' };
  const { code, output } = await run(program, [path.join(folder, script)], { env, capture: true, timeoutMs: TIMEOUT_MS });
  process.stderr.write(output);
  const count = (word) => Number([...output.matchAll(new RegExp(`(\\d+) ${word}\\b`, 'g'))].at(-1)?.[1] ?? 0);
  const counts = { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
  if (counts.passed + counts.failed === 0) return verdict(code === 0);
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}
