import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { NativeFrontEndOptions, NativeRequestEvent, startFrontEnd, TlsMaterial } from '../../../src/bridge/front-end.js';
import { ERRORS } from '../../../src/errors.js';
import { NativeLoops } from '../../../src/frontend/native-loops.js';
import { RequestLog } from '../../../src/frontend/request-log.js';

const native: NativeFrontEndOptions = {
  loops: 1,
  maxRequestBytes: 1,
  maxReceivingBytes: 0,
  maxConcurrentStreams: 1,
  headersTimeoutMs: 0,
  requestTimeoutMs: 0,
  keepAliveTimeoutMs: 0,
  logsRequests: true,
  logsRefusals: true,
};
const facts = { method: 'POST', path: '/v2/models/m/infer', requestId: 'a' };

let told: string[];
let lines: Record<string, unknown>[];
let drained: () => void;
let report: (events: readonly NativeRequestEvent[], lost?: number) => void;
let loops: NativeLoops;

const start: typeof startFrontEnd = (_, onDrained, onEvents) => {
  drained = onDrained;
  report = (events, lost = 0) => onEvents(events, lost);
  const tell = (what: string) => (): void => void told.push(what);
  const setTls = ({ cert }: TlsMaterial): void => {
    if (cert === '') throw Object.assign(new Error('no certificate'), { status: ERRORS.ERR_CONFIG_OPTION.number });
    told.push(`setTls ${cert}`);
  };
  return { goAway: tell('goAway'), drain: tell('drain'), nextEvents: tell('nextEvents'), setTls, destroy: tell('destroy') };
};

function startLoops(access = true): void {
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  loops = new NativeLoops({ native, log, requestLog: new RequestLog(log, access), start });
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

beforeEach(() => {
  [told, lines] = [[], []];
});

afterEach(() => loops.destroy());

describe('the native front end', () => {
  it('has drained when its last connection has ended', async () => {
    startLoops();
    loops.goAway();
    let isOver = false;
    const drain = loops.drain().then(() => (isOver = true));
    await turn();
    expect([told, isOver]).toEqual([['goAway', 'drain'], false]);
    drained();
    await drain;
  });

  it('keeps nobody waiting for a drain once it is destroyed', async () => {
    startLoops();
    const drain = loops.drain();
    loops.destroy();
    await drain;
    expect(told).toEqual(['drain', 'destroy']);
  });

  it('is destroyed by the exit of the process, however that comes, unless it was before', () => {
    const before = process.listeners('exit');
    startLoops();
    const added = process.listeners('exit').filter((listener) => !before.includes(listener));
    for (const listener of added) listener.call(process, 0);
    expect(told).toEqual(['destroy']);
    loops.destroy();
    expect(process.listeners('exit')).toEqual(before);
  });

  it('is asked for more events in a later turn than the one that wrote the last', async () => {
    startLoops();
    report([{ kind: 'ended', ...facts, status: '200', durationMs: 1, bytesIn: 0, bytesOut: 0 }]);
    await Promise.resolve();
    expect([lines.length, told]).toEqual([1, []]);
    await turn();
    expect(told).toEqual(['nextEvents']);
  });

  it('writes an access line as the JavaScript front ends do', () => {
    startLoops();
    report([
      { kind: 'ended', ...facts, status: '200', durationMs: 1.23456, bytesIn: 7, bytesOut: 8 },
      { kind: 'ended', ...facts, method: 'GRPC', status: 'OK', durationMs: 2, bytesIn: 0, bytesOut: 0 },
      { kind: 'ended', ...facts, status: 'aborted', durationMs: 2, bytesIn: 0, bytesOut: 0 },
    ]);
    expect(lines[0]).toMatchObject({
      msg: 'request',
      method: 'POST',
      path: '/v2/models/m/infer',
      status: 200,
      duration_ms: 1.235,
      bytes_in: 7,
      bytes_out: 8,
      request_id: 'a',
    });
    expect(lines.map(({ status }) => status)).toEqual([200, 'OK', 'aborted']);
  });

  it('tells faults of the server from what a client did wrong', () => {
    startLoops();
    report([
      { kind: 'failed', ...facts, code: ERRORS.ERR_MODEL_RUN.number, message: 'node 3 failed' },
      { kind: 'failed', ...facts, code: ERRORS.ERR_TENSOR_SHAPE.number, message: 'wrong shape' },
    ]);
    expect(lines).toMatchObject([
      { level: 50, msg: 'request failed', code: 'ERR_MODEL_RUN', request_id: 'a', err: { message: 'node 3 failed' } },
      { level: 20, msg: 'request refused', code: 'ERR_TENSOR_SHAPE', reason: 'wrong shape' },
    ]);
  });

  it('says how many lines were lost, once a second at most, and the rest when it ends', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    startLoops(false);
    report([], 17);
    expect(lines).toMatchObject([{ level: 40, lost: 17 }]);
    for (let batch = 0; batch < 10; batch++) report([], 2);
    expect(lines).toHaveLength(1);
    vi.advanceTimersByTime(1000);
    expect(lines).toMatchObject([{ lost: 17 }, { level: 40, lost: 20 }]);
    vi.advanceTimersByTime(10_000);
    report([], 3);
    report([], 4);
    loops.destroy();
    expect(lines.map(({ lost }) => lost)).toEqual([17, 20, 3, 4]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('hands on what TLS is to be ended with, and says what is wrong with it', () => {
  startLoops();
  loops.setTls({ cert: 'new', key: '', clientCa: '' });
  expect(told).toEqual(['setTls new']);
  expect(() => loops.setTls({ cert: '', key: '', clientCa: '' })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_OPTION', message: 'no certificate' }),
  );
});
