import { describe, expect, it } from 'vitest';
import { retryAfterSeconds, retryDelayMs } from '../../../src/frontend/retry-delay.js';

const least = (): number => 0;
const most = (): number => 1;

describe('the delay before a retry', () => {
  it.each([
    [1, 1000, 1500],
    [1000, 1000, 1500],
    [4000, 4000, 6000],
    [25_000, 20_000, 30_000],
    [3_600_000, 20_000, 30_000],
  ])('of %i ms is at least a second, spread by half, at most 30 seconds', (advice, from, to) => {
    expect([retryDelayMs(advice, least), retryDelayMs(advice, most)]).toEqual([from, to]);
  });

  it.each([
    [1, 1, 3],
    [1500, 2, 4],
    [2000, 2, 3],
    [4100, 5, 7],
    [3_600_000, 20, 30],
  ])('of %i ms is whole seconds in a header, and keeps its spread where they are few', (advice, from, to) => {
    expect([retryAfterSeconds(advice, least), retryAfterSeconds(advice, most)]).toEqual([from, to]);
  });
});
