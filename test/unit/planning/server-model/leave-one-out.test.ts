import { describe, expect, it } from 'vitest';
import { judge, leaveOneOut } from '../../../../src/planning/server-model/leave-one-out.js';
import { ONE_LANE, simulateQueues, trialOf } from './known-server.js';

describe('the verdict on a prediction', () => {
  const measured = { value: 1000, low: 980, high: 1100 };
  it.each([
    ['exact', 1000, true, 0],
    ['5 % too low', 950, true, 0],
    ['6 % too low', 940, false, 0],
    ['above by more than 5 %, but within the interval', 1090, true, 0],
    ['above the interval', 1122, false, 0.02],
  ])('%s', (_, predicted, isWithin, unsafeBy) => {
    const judged = judge({ settings: ONE_LANE, measured }, predicted);
    expect(judged).toMatchObject({ isWithin, predicted, measured });
    expect(judged.error).toBeCloseTo(predicted / 1000 - 1, 9);
    expect(judged.unsafeBy).toBeCloseTo(unsafeBy, 9);
  });
});

describe('predictions that leave one out', () => {
  const goal = { percentile: 99, latencyMs: 12 };
  const options = { arrivals: 'poisson', rowsPerRequest: 1, seed: 1, simulate: simulateQueues };
  const measured = { value: 400, low: 390, high: 410 };
  /** By the batch size, 2 ms a run of one row. */
  const cell = (maxBatchSize: number, ms: number) => {
    const settings = { ...ONE_LANE, maxBatchSize };
    return { settings, measured, trials: [trialOf({ settings, inFlight: 1, runs: [{ rows: 1, runs: 1000, ms }] })] };
  };

  it('do not see the trials of their own cell', async () => {
    const [wrong, right] = await leaveOneOut([cell(1, 20), cell(2, 2)], goal, 2, options);
    // Fitted to the other: 2 ms for the first, 20 ms for the second, which no goal of 12 ms allows.
    expect(wrong?.predicted).toBeGreaterThan(300);
    expect(right?.predicted).toBe(0);
  });

  it('are refused where nothing remains', async () => {
    await expect(leaveOneOut([cell(1, 2)], goal, 2, options)).rejects.toThrow(/at least 100 are needed/);
  });
});
