/** Workers that end while versions are made for them: the versions must go, whenever they come to be. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { addon, expect, startEngine } from './engine.mjs';

/** Threads that load models or run them. */
function busyThreads() {
  const nameOf = (task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim();
    } catch {
      return ''; // It has ended.
    }
  };
  return readdirSync('/proc/self/task').filter((task) => ['penstock-load', 'penstock-lane'].includes(nameOf(task))).length;
}

startEngine();
for (let i = 0; i < 15; i++) {
  const worker = new Worker(new URL('version-worker.mjs', import.meta.url), { workerData: 4 });
  await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
}
for (let waits = 0; busyThreads() > 0 && waits < 400; waits++) await sleep(50);
expect(busyThreads() === 0, `no loads and no lanes of abandoned versions, got ${busyThreads()} threads`);
expect(addon.stopEngine() === true, 'nothing to be left behind');
