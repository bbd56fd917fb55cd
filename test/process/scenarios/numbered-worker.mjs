/** Sends payloads that say who sent them and which they are; every second one lies in shared memory. */
import { parentPort, workerData } from 'node:worker_threads';
import { addon, expect, identityRequest, submit } from './engine.mjs';

const { number, REQUESTS } = workerData;
const WIDTH = 2000;
let sent = 0;
let answers = 0;

/** [worker, request, 0, 0, ...]: large enough for a range of its own. */
function next() {
  const request = identityRequest(Float32Array.from({ length: WIDTH }, (_, i) => [number, sent][i] ?? 0));
  if (sent % 2 === 1) {
    const shared = new Uint8Array(new SharedArrayBuffer(WIDTH * 4));
    shared.set(request.chunks[1]);
    request.chunks[1] = shared;
  }
  submit(sink, sent++, 'identity_fp32', request);
}

const sink = addon.openSink((completions) => {
  for (const { token, status, tails, ranges } of completions) {
    const [tail] = tails;
    expect(status === 0 && tail.length === WIDTH * 4, 'a reply of the size that was sent');
    expect(tail.readFloatLE(0) === number && tail.readFloatLE(4) === token, `payload ${number}/${token} back`);
    sink.release(ranges);
    answers++;
    if (sent < REQUESTS) next();
  }
  if (answers === REQUESTS) parentPort.postMessage(answers);
});
for (let i = 0; i < 32; i++) next();
