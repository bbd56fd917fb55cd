/** promtool, Prometheus' own checker, on the metrics of a running server. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { installHint } from './prerequisites.mjs';
import { findProgram, root, run, say } from './processes.mjs';
import { addCounts, verdict } from './test-results.mjs';

const READY_TIMEOUT_MS = 60_000;
/** promtool's exit code for "valid, but the names could be better". */
const EXIT_LINT = 3;
/** Triton's names are not ours to choose, and promtool does not like them. */
const TRITON_NAME = /^(?:# (?:HELP|TYPE) )?nv_/;

// Second place: where .ci/run unpacks the Debian package without installing it.
const promtool = findProgram('promtool') ?? findProgram(path.join(root, 'build', 'prometheus', 'usr', 'bin', 'promtool'));

export function metricsCheckMissing() {
  const hint = installHint({ debian: 'prometheus', fedora: 'golang-github-prometheus', macos: 'prometheus' });
  return promtool === undefined ? `promtool: ${hint}` : undefined;
}

async function ports(readyFile, server) {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline && server.exitCode === null) {
    try {
      return JSON.parse(readFileSync(readyFile, 'utf8'));
    } catch {
      await delay(100);
    }
  }
  throw new Error(
    server.exitCode === null ? 'the server did not become ready within a minute' : `the server ended with code ${server.exitCode}`,
  );
}

/** One good and one bad request, so that every family has a series. */
async function sendRequests(port) {
  const row = { shape: [1, 16], datatype: 'INT32', data: Array.from({ length: 16 }, (_, i) => i) };
  const inputs = ['INPUT0', 'INPUT1'].map((name) => ({ name, ...row }));
  for (const body of [{ inputs }, { inputs: [] }]) {
    await fetch(`http://127.0.0.1:${port}/v2/models/add_sub/infer`, { method: 'POST', body: JSON.stringify(body) });
  }
}

async function metricsOfAServer() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'penstock-metrics-'));
  const readyFile = path.join(folder, 'ready.json');
  const options = ['--model-repository', path.join(root, 'models'), '--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
  const args = [path.join(root, 'dist', 'main.js'), 'serve', ...options, '--ready-file', readyFile];
  const server = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 2] });
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);
  try {
    const { http, management } = await ports(readyFile, server);
    await sendRequests(http);
    const reply = await fetch(`http://127.0.0.1:${management}/metrics`);
    if (!reply.ok) throw new Error(`GET /metrics answered ${reply.status}`);
    return await reply.text();
  } finally {
    process.off('exit', kill);
    kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function checkMetrics() {
  let metrics;
  try {
    metrics = await metricsOfAServer();
  } catch (error) {
    return { passed: 0, failed: 1, note: error.message };
  }
  const own = metrics.split('\n').filter((line) => !TRITON_NAME.test(line));
  const counts = [
    await holds('our own metrics', own.join('\n'), (code, complaints) => code === 0 && complaints.length === 0),
    await holds(
      'the whole page',
      metrics,
      (code, complaints) => (code === 0 || code === EXIT_LINT) && complaints.every((line) => TRITON_NAME.test(line)),
    ),
  ];
  return addCounts(counts);
}

/** promtool's complaints about a page of metrics are shown where they are not `acceptable(code, complaints)`. */
async function holds(what, page, acceptable) {
  const { code, output } = await run(promtool, ['check', 'metrics'], { capture: true, input: page });
  const complaints = output.split('\n').filter((line) => line !== '');
  const accepted = acceptable(code, complaints);
  if (!accepted) for (const line of [`${what}: exit code ${code}`, ...complaints]) say(`promtool: ${line}`);
  return verdict(accepted);
}
