import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { NativeGpuReport } from '../../../src/bridge/control.js';
import { GpuSearch } from '../../../src/lifecycle/gpu-search.js';
import { reportOf } from '../../support/gpu-states.js';

const notReady: NativeGpuReport = { ...reportOf(), cause: 'fabric-not-ready', reason: 'cuInit: X (802)' };
const mismatch: NativeGpuReport = { ...reportOf(), cause: 'driver-mismatch', reason: 'cuInit: X (803)' };
const PATIENCE_MS = 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, _: unknown, { signal }: { signal: AbortSignal }) => {
    waits.push(ms);
    vi.advanceTimersByTime(ms);
    return signal.aborted ? Promise.reject(new Error('aborted')) : Promise.resolve();
  },
}));
const waits: number[] = [];

function searching(first: NativeGpuReport, later: readonly NativeGpuReport[], patienceMs = PATIENCE_MS) {
  waits.length = 0;
  const warnings: string[] = [];
  const reports = [...later];
  const findGpus = vi.fn(() => Promise.resolve(reports.shift() ?? notReady));
  const log = { warn: (_: object, text: string): void => void warnings.push(text) };
  return { search: new GpuSearch({ first, findGpus, patienceMs, log, now: () => performance.now() }), findGpus, warnings };
}

it.each([reportOf('GPU-1'), mismatch])('is over at once where waiting mends nothing', async (first) => {
  const { search, findGpus } = searching(first, []);
  expect(search.isWorthWaiting).toBe(false);
  expect(await search.end()).toBe(first);
  expect(findGpus).not.toHaveBeenCalled();
});

it('looks again, less and less often, until the fabric is up', async () => {
  const { search, warnings } = searching(notReady, [notReady, notReady, reportOf('GPU-1')]);
  const end = search.end();
  expect([search.isWorthWaiting, search.isWaiting]).toEqual([true, true]);
  expect((await end).gpus).toHaveLength(1);
  expect(waits).toEqual([500, 1000, 2000]);
  expect([search.isWorthWaiting, search.isWaiting, search.report.cause]).toEqual([false, false, '']);
  expect(warnings).toEqual(['the GPUs are not ready yet, models wait for them: cuInit: X (802)']);
});

it('stops as soon as the cause is another one', async () => {
  const { search } = searching(notReady, [mismatch]);
  expect(await search.end()).toBe(mismatch);
});

it('gives up when its patience is over, after a last look', async () => {
  const { search, findGpus } = searching(notReady, []);
  expect(await search.end()).toBe(notReady);
  expect(waits.reduce((sum, ms) => sum + ms, 0)).toBe(PATIENCE_MS);
  expect(Math.max(...waits)).toBe(15_000);
  expect(findGpus).toHaveBeenCalledTimes(waits.length);
  expect(search.isWaiting).toBe(false);
});

it('does not wait without patience', async () => {
  expect(await searching(notReady, [], 0).search.end()).toBe(notReady);
  expect(waits).toEqual([]);
});

it('ends when it is stopped', async () => {
  const { search, findGpus } = searching(notReady, []);
  search.stop();
  expect(await search.end()).toBe(notReady);
  expect(findGpus).not.toHaveBeenCalled();
});
