/**
 * A million replies whose buffers JavaScript never drops during the test: only `release` can give their memory back.
 * Prints what it measured as JSON.
 */
import { addon, bigOutRequest, expect, serve } from './engine.mjs';

const REPLIES = 1_000_000;
/** Just above what is copied instead of wrapped. */
const REPLY_BYTES = 4104;
const IN_FLIGHT = 256;

await serve(['big_out']);
const { chunks, jsonBytes } = bigOutRequest(REPLY_BYTES);
/** One in 64, so that the test looks at the collector's delay and not at the size of a million wrappers. */
const kept = [];
const peak = { ranges: 0, rangeBytes: 0, blockBytes: 0, residentBytes: 0 };
let submitted = 0;
let replies = 0;
let callbacks = 0;
let residentAtStart = 0;

function next() {
  const refusal = sink.submitHttp(++submitted, 'big_out', '', chunks, jsonBytes, 0);
  expect(refusal === null, `request ${submitted} to be accepted, got ${JSON.stringify(refusal)}`);
}

function look() {
  const gauges = addon.gauges();
  for (const name of ['ranges', 'rangeBytes', 'blockBytes']) peak[name] = Math.max(peak[name], gauges[name]);
  peak.residentBytes = Math.max(peak.residentBytes, process.memoryUsage.rss());
  if (replies >= REPLIES / 10 && residentAtStart === 0) residentAtStart = process.memoryUsage.rss();
}

const started = performance.now();
const sink = addon.openSink((completions) => {
  if (++callbacks % 500 === 0) look();
  for (const { status, tails, ranges } of completions) {
    expect(status === 0 && tails[0].length === REPLY_BYTES && ranges.length === 1, 'a reply of one range');
    if (++replies % 64 === 0) kept.push(tails[0]);
    sink.release(ranges);
    if (submitted < REPLIES) next();
  }
  if (replies === REPLIES) report();
});
for (let i = 0; i < IN_FLIGHT; i++) next();

function report() {
  look();
  expect(
    kept.every((buffer) => buffer.length === 0),
    'every released buffer to be empty',
  );
  const { ranges, rangeBytes, blocks } = addon.gauges();
  const growthBytes = process.memoryUsage.rss() - residentAtStart;
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(JSON.stringify({ replies, seconds, callbacks, peak, growthBytes, left: { ranges, rangeBytes, blocks } }));
}
