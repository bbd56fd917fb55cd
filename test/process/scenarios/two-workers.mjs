/** Two workers send numbered payloads into one engine; each must get back its own and nothing else. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { addon, expect, serve } from './engine.mjs';

const REQUESTS = 5000;
await serve(['identity_fp32'], 2);
const workers = [1, 2].map((number) => new Worker(new URL('numbered-worker.mjs', import.meta.url), { workerData: { number, REQUESTS } }));
const answers = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
expect(
  answers.every((count) => count === REQUESTS),
  `${REQUESTS} answers in each worker, got ${answers}`,
);
const [{ success }] = addon.statistics('identity_fp32', '');
expect(success.count === 2 * REQUESTS, `both workers in one engine's counters, got ${success.count}`);
