/** Only workers load the addon: what one starts serves the next, after the first has ended and Node has let go of the addon. */
import { Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';

for (const part of ['start', 'use', 'use']) {
  const worker = new Worker(new URL('serving-worker.mjs', import.meta.url), { workerData: part });
  const code = await new Promise((resolve) => worker.on('exit', resolve));
  if (code !== 0) throw new Error(`expected the worker that shall ${part} to end well, got exit code ${code}`);
  await sleep(20);
}
