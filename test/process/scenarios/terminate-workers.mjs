/** Terminates 120 workers while each floods the engine, at a moment that differs from one to the next. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { addon, expect, identityRequest, serve, submit } from './engine.mjs';

const TERMINATIONS = 120;
await serve(['identity_fp32', 'big_out'], 2);

let seed = 1;
/** 0 up to `bound`, the same in every run. */
function random(bound) {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % bound;
}

for (let i = 0; i < TERMINATIONS; i++) {
  const worker = new Worker(new URL('flooding-worker.mjs', import.meta.url));
  worker.on('error', (error) => {
    throw error;
  });
  await once(worker, 'message');
  await sleep(5 + random(55));
  await worker.terminate();
}

const sink = addon.openSink(([completion]) => {
  expect(completion.status === 0, `an answer after the terminations, got ${completion.message}`);
  sink.close();
});
submit(sink, 1, 'identity_fp32', identityRequest([1]));
await sleep(50);
const { inFlightRequests, inFlightBytes, blocks, ranges, rangeBytes } = addon.gauges();
expect(
  [inFlightRequests, inFlightBytes, blocks, ranges, rangeBytes].every((gauge) => gauge === 0),
  `gauges of 0, got ${JSON.stringify(addon.gauges())}`,
);
