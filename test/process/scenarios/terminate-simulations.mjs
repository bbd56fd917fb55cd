/** Terminates 24 workers while they simulate, two at a time and some just before their simulation ends; no engine is started. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { simulate } from '../../../dist/bridge/simulation.js';

const job = {
  seed: 1,
  arrivals: { kind: 'poisson', rate: 100, shape: 1, momentsS: [], lengthS: 3000 },
  rowsPerRequest: 1,
  warmUpS: 0,
  servers: 1,
  events: [],
  batching: { maxBatchRows: 4, lanes: 1, maxQueueDelayUs: 0, latencyGoalMs: 50 },
  frontEnd: { threads: 1, perRequestMs: 0.1, fixedMs: 0.1 },
  runTimes: [{ rows: 1, quantilesMs: [4, 6] }],
  laneSlowdown: [1],
  runsAtOnce: 1,
  asideMs: 0,
  goalMs: 0,
};
const started = performance.now();
const expected = simulate(job);
const takesMs = performance.now() - started;

async function terminateOne(afterMs) {
  const worker = new Worker(new URL('simulating-worker.mjs', import.meta.url), { workerData: job });
  worker.on('error', (error) => {
    throw error;
  });
  await once(worker, 'message');
  await sleep(afterMs);
  await worker.terminate();
}

for (let i = 0; i < 12; i++) await Promise.all([terminateOne((takesMs * i) / 10), terminateOne(takesMs)]);
if (JSON.stringify(simulate(job)) !== JSON.stringify(expected)) throw new Error('another result than before');
