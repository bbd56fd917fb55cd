import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { NativePortName } from '../../../src/bridge/ports.js';
import { Listeners } from '../../../src/lifecycle/listeners.js';

const REASON = 'Too many open files';

let lines: unknown[];
/** What the ports say next. */
let shortages: Record<NativePortName, string>;
let closed: number;
let listeners: Listeners;

beforeEach(() => {
  vi.useFakeTimers();
  [lines, shortages, closed] = [[], { http: '', grpc: '' }, 0];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  listeners = new Listeners(log, ({ name, port }) => ({ port, shortage: () => shortages[name], close: () => void closed++ }));
  const options = { host: 'h', maxConnections: 1, servedNatively: true };
  expect(listeners.open({ ...options, name: 'http', port: 8000 })).toBe(8000);
  expect(listeners.open({ ...options, name: 'grpc', port: 8001 })).toBe(8001);
});

afterEach(() => {
  listeners.close();
  vi.useRealTimers();
});

it('says once a second on which port the system lets nobody in, and why', () => {
  vi.advanceTimersByTime(2500);
  expect(lines).toEqual([]);
  shortages.grpc = REASON;
  vi.advanceTimersByTime(2000);
  shortages.grpc = '';
  vi.advanceTimersByTime(5000);
  const line = { level: 40, port: 'grpc', reason: REASON, msg: 'who connects has to wait: the system has no room for another connection' };
  expect(lines).toMatchObject([line, line]);
});

it('closes every port, says nothing more, and may be closed again', () => {
  shortages.http = REASON;
  listeners.close();
  listeners.close();
  vi.advanceTimersByTime(5000);
  expect([closed, lines]).toEqual([4, []]);
});
