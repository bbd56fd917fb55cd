/**
 * The server's own batching code in virtual time against an exact oracle, and against starting every batch at once: goodput as a fraction
 * of the oracle's, and the 99th percentile of latencies, over a grid of run-time curves, arrival patterns, loads and deadlines.
 * Usage: node bench/batching-policy.mjs [rows of a trace]
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buildReferences, scratch } from './measure/processes.mjs';
import { record } from './measure/record.mjs';

const rows = Number(process.argv[2] ?? 20_000);
const summary = path.join(scratch, 'batching-policy.json');
const { status } = spawnSync(path.join(buildReferences(), 'batching_policy'), [summary, String(rows)], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (status !== 0) throw new Error('the simulation failed');
const { kinds, byCurveAndArrivals } = JSON.parse(readFileSync(summary, 'utf8'));
console.table(
  Object.fromEntries(
    Object.entries(kinds).map(([kind, { mean, worst, shareAtLeast095, p99WithinOnePercent, eagerMean }]) => [
      kind,
      { mean, worst, shareAtLeast095, p99WithinOnePercent, eagerMean },
    ]),
  ),
);
record('batching-policy', { rowsOfATrace: rows, maxBatchRows: 32, seeds: 2 }, { kinds, byCurveAndArrivals });
