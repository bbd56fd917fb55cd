/** Workers that end by themselves while requests are in flight; then the engine must be as if they had never been. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { addon, expect, identityRequest, serve, submit } from './engine.mjs';

await serve(['identity_fp32', 'slow']);

/** Runs one worker to its end. */
async function run(how, expectedCode) {
  const worker = new Worker(new URL('ending-worker.mjs', import.meta.url), { workerData: how });
  let error;
  worker.on('error', (thrown) => (error = thrown));
  const code = await new Promise((resolve) => worker.on('exit', resolve));
  expect(code === expectedCode, `exit code ${expectedCode} of a worker that ends by ${how}, got ${code} (${error})`);
}

for (let i = 0; i < 20; i++) await run('the end of its work', 0);
for (let i = 0; i < 5; i++) {
  await run('process.exit', 3);
  await run('an error in the callback', 1);
  await run('close with requests in flight', 0);
  await run('loading the addon twice', 0);
}

const sink = addon.openSink(([{ status }]) => {
  expect(status === 0, 'an answer after the workers');
  sink.close();
});
submit(sink, 1, 'identity_fp32', identityRequest([1]));
await sleep(100);
const gauges = Object.entries(addon.gauges()).filter(([, value]) => value !== 0);
expect(gauges.length === 0, `gauges of 0, got ${JSON.stringify(gauges)}`);
