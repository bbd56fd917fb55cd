/** Ends the process in one of many ways while a model runs that would need another minute. Usage: node exit.mjs HOW */
import { setTimeout as sleep } from 'node:timers/promises';
import { addon, expect, serve, slowRequest, submit } from './engine.mjs';

const ENDS = {
  'process.exit': () => process.exit(7),
  'uncaught error': () => {
    throw new Error('thrown on purpose');
  },
  'unhandled rejection': () => void Promise.reject(new Error('rejected on purpose')),
  'exitNow without exit handlers': () => {
    process.on('exit', () => process.stderr.write('an exit handler ran'));
    addon.exitNow(9);
  },
  'stopEngine, then the end of all work': () => {
    expect(addon.stopEngine() === true, 'stopEngine to be done');
    expect(addon.stopEngine() === true, 'stopEngine to be repeatable');
    expect(addon.gauges().inFlightRequests === 0, 'no request in flight after stopEngine');
    const refusal = sink.submitHttp(99, 'slow', '', request.chunks, request.jsonBytes, 0);
    expect(refusal.status === 500, `ERR_SERVER_EXITING after stopEngine, got ${JSON.stringify(refusal)}`);
  },
  'the end of all work, with a cancelled request and an idle sink': () => sink.cancel(1) ?? sink.cancel(2),
  'a signal from outside': () => process.stdout.write('running'),
};

await serve(['slow'], 1);
const outcomes = [];
const sink = addon.openSink((completions) => outcomes.push(...completions.map(({ status }) => status)));
const request = slowRequest(10_000_000);
submit(sink, 1, 'slow', request); // runs
submit(sink, 2, 'slow', request); // waits
await sleep(50);
process.on('exit', () => {
  if (how.startsWith('the end of')) expect(`${outcomes}` === '402,402', `two cancelled requests, got ${outcomes}`);
  if (how.startsWith('stopEngine')) expect(`${outcomes}` === '500,500', `two outcomes from the stop, got ${outcomes}`);
});
const how = process.argv[2];
ENDS[how]();
