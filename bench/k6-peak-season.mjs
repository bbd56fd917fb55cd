/**
 * Runs k6/peak-season.js against a server of its own over both protocols, and keeps the summaries. k6 is found as the suite `k6` finds it.
 * Usage: node bench/k6-peak-season.mjs [requests-per-second] [seconds]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { findTool } from '../scripts/kubernetes-tools.mjs';
import { runLoad, scratch, startServer } from './measure/processes.mjs';
import { progress, record, root } from './measure/record.mjs';

const [rate = 100, seconds = 60] = process.argv.slice(2).map(Number);
const k6 = findTool('k6');
if (k6 === undefined) throw new Error('there is no k6: node scripts/kubernetes-tools.mjs builds it');

/** Digits below these are noise; counts stay whole. */
const rounded = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value.toPrecision(5))]));

const server = await startServer(path.join(root, 'models'));
const summaries = [];
for (const [protocol, address] of [
  ['http', `http://127.0.0.1:${server.http}`],
  ['grpc', `127.0.0.1:${server.grpc}`],
]) {
  progress(`${protocol}, ${rate} requests/s for ${seconds} s`);
  const file = path.join(scratch, `${protocol}.json`);
  const settings = { PROTOCOL: protocol, BASE_URL: address, RATE: rate, DURATION: `${seconds}s`, SUMMARY: file };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  await runLoad(k6, ['run', '--quiet', '--no-usage-report', '--address', '', ...flags, path.join(root, 'bench/k6/peak-season.js')]);
  summaries.push(JSON.parse(readFileSync(file, 'utf8')));
}
progress('');
await server.stop();

const [{ settings }] = summaries;
const [version] = execFileSync(k6, ['version'], { encoding: 'utf8' }).split('\n');
record(
  'k6-peak-season',
  {
    model: settings.model,
    mix: '70 % single rows, 20 % single rows with every output as JSON (gRPC: by name), 10 % batches of 10 to 50 rows',
    requestsPerS: settings.rate,
    seconds,
    p95Ms: settings.p95Ms,
    p99Ms: settings.p99Ms,
    errorRate: settings.errorRate,
    k6: version,
  },
  summaries.map(({ settings: { protocol }, thresholds, metrics }) => ({
    protocol,
    thresholds: thresholds.map(({ value, ...threshold }) => ({ ...threshold, value: Number(value.toPrecision(5)) })),
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, { values }]) => [name, rounded(values)])),
  })),
);
process.exit(0);
