/** Keeps requests of every size in flight until it is stopped from outside; holds on to some ranges. */
import { parentPort } from 'node:worker_threads';
import { addon, bigOutRequest, identityRequest, submit } from './engine.mjs';

const small = identityRequest([1, 2, 3]);
const large = identityRequest(new Array(16384).fill(0.5));
const wide = bigOutRequest(65536);
const held = [];
let token = 0;

function next() {
  token++;
  if (token % 3 === 0) submit(sink, token, 'big_out', wide);
  else submit(sink, token, 'identity_fp32', token % 3 === 1 ? small : large);
}

const sink = addon.openSink((completions) => {
  for (const { ranges, tails } of completions) {
    if (token % 7 === 0 && held.length < 100) held.push(tails);
    else sink.release(ranges);
    next();
  }
});
for (let i = 0; i < 64; i++) next();
parentPort.postMessage('flooding');
