import { describe, expect, it } from 'vitest';
import { holdOf, versionLabel, type Blame } from '../../../src/models/model-holds.js';

const MINUTE = 60_000;
const NOW = Date.parse('2026-01-31T12:00:00Z');

/** Ends by the digits, minutes ago. */
const ends = (...minutesAgo: readonly number[]): Blame[] =>
  minutesAgo.map((ago) => ({ model: versionLabel('digits', 2), cause: 'hang', atMs: NOW - ago * MINUTE }));

const minutesOf = (blames: readonly Blame[], nowMs = NOW): number => (holdOf(blames, 'digits version 2', nowMs)?.forMs ?? 0) / MINUTE;

describe('a version that has ended the process', () => {
  it('once is loaded again: it may have been the GPU', () => {
    expect(holdOf(ends(0), 'digits version 2', NOW)).toBeUndefined();
  });

  it('twice is left out for 10 minutes after the last time, and says why', () => {
    expect(holdOf(ends(4, 1), 'digits version 2', NOW)).toEqual({
      forMs: 9 * MINUTE,
      reason: 'it ended the server 2 times in a day (hang) and is tried again at 2026-01-31T12:09:00Z',
    });
    expect(minutesOf(ends(11, 10))).toBe(0);
  });

  it('waits twice as long after each further time, but never more than 6 hours', () => {
    const waits = [3, 4, 5, 6, 7, 8, 20].map((count) => minutesOf(ends(...Array<number>(count).fill(0))));
    expect(waits).toEqual([20, 40, 80, 160, 320, 360, 360]);
  });

  it('is forgiven what it did a day ago', () => {
    expect(minutesOf(ends(24 * 60, 0))).toBe(0);
    expect(minutesOf(ends(24 * 60 - 1, 0))).toBe(10);
  });

  it('is not held longer because the clock was set back', () => {
    expect(minutesOf(ends(-600, -601))).toBe(10);
  });
});

it('does not hold a version for what others did, other versions of the same model included', () => {
  const others = [...ends(0), ...ends(0).map((blame) => ({ ...blame, model: versionLabel('digits', 1) }))];
  expect(minutesOf(others)).toBe(0);
});
