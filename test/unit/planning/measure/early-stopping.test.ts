import { describe, expect, it } from 'vitest';
import { leastOver, mostOver, requestsNeeded } from '../../../../src/planning/measure/early-stopping.js';

describe('requestsNeeded', () => {
  it.each([
    [90, 24_576],
    [95, 57_344],
    [97, 90_112],
    [99, 270_336],
  ])('is for p%d what MLPerf asks for', (percentile, requests) => {
    expect(requestsNeeded(percentile)).toBe(requests);
  });
});

/** Summed with 50 decimal digits. */
const EXACT = [
  [458, 99, null, 11],
  [459, 99, 0, 11],
  [661, 99, 0, 14],
  [662, 99, 1, 14],
  [10_000, 99, 77, 125],
  [43, 90, null, 10],
  [44, 90, 0, 11],
  [24_576, 90, 2348, 2569],
  [270_336, 99, 2583, 2825],
  [6000, 99.9, 0, 13],
  [10_000_000, 99.9, 9767, 10_234],
  [100_000_000, 99.99, 9767, 10_234],
  [20, 50, 4, 16],
] as const;

describe('early stopping', () => {
  it.each(EXACT)('knows of %d requests for p%d that %s may miss, and that %d are too many', (requests, percentile, most, least) => {
    expect(mostOver(requests, percentile)).toBe(most);
    expect(leastOver(requests, percentile)).toBe(least);
  });

  it('says nothing of no requests', () => {
    expect(mostOver(0, 99)).toBeNull();
    expect(leastOver(0, 99)).toBeNull();
  });

  it('says nothing where even all misses could be chance', () => {
    expect(leastOver(2, 99)).toBe(2);
    expect(leastOver(6, 50)).toBeNull();
  });

  it('never lets more requests allow fewer misses', () => {
    let last = -1;
    for (let requests = 459; requests < 40_000; requests += 37) {
      const most = mostOver(requests, 99) ?? -1;
      expect(most).toBeGreaterThanOrEqual(last);
      expect(most / requests).toBeLessThan(0.01);
      expect(leastOver(requests, 99)).toBeGreaterThan(requests * 0.01);
      last = most;
    }
  });
});
