import { describe, expect, it } from 'vitest';
import type { Trial } from '../../../../src/planning/measure/trial.js';
import { isEvidence, judge, predictLeftOut } from '../../../../src/planning/server-model/leave-one-out.js';
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

describe('a measurement is evidence', () => {
  const goal = { percentile: 99, latencyMs: 12 };
  /** 100 000 requests, of which so many miss the goal. */
  const trialAt = (rate: number, misses: number, refused?: string): Trial => {
    const trial = trialOf({ rate, runs: [{ rows: 1, runs: 1000, ms: 2 }], ...(refused !== undefined && { refused }) });
    const counts = { ...trial.result.counts, requests: 100_000, answered: 100_000, late_answers: misses };
    return { ...trial, result: { ...trial.result, goal_ms: goal.latencyMs, counts } };
  };
  const measured = { value: 400, low: 400, high: 500 };
  const found = { settings: ONE_LANE, measured, isConfirmed: true, trials: [trialAt(400, 100), trialAt(500, 5000)] };

  it('where one rate is known to meet the goal and another to miss it', () => {
    expect(isEvidence(found, goal)).toBe(true);
  });

  it.each([
    ['nothing was confirmed', { ...found, isConfirmed: false }],
    ['no rate meets the goal', { ...found, measured: { value: 400, low: 0, high: 500 } }],
    ['the generator itself was late at its upper end', { ...found, trials: [trialAt(400, 100), trialAt(500, 5000, 'late')] }],
    ['nothing faster was tried', { ...found, trials: [trialAt(400, 100)] }],
  ])('but not where %s', (_, cell) => {
    expect(isEvidence(cell, goal)).toBe(false);
  });
});

describe('a prediction of what was left out', () => {
  const goal = { percentile: 99, latencyMs: 12 };
  const options = { arrivals: 'poisson', rowsPerRequest: 1, seed: 1, simulate: simulateQueues, goal, cpus: 2 };
  const measured = { value: 400, low: 390, high: 410 };
  /** By the batch size, 2 ms a run of one row. */
  const cell = (maxBatchSize: number, ms: number) => {
    const settings = { ...ONE_LANE, maxBatchSize };
    return { settings, measured, trials: [trialOf({ settings, inFlight: 1, runs: [{ rows: 1, runs: 1000, ms }] })] };
  };

  it('does not see trials of another precision', async () => {
    const [one, other] = [cell(1, 2), cell(2, 2)];
    const settings = { ...other.settings, precision: 'tf32' } as const;
    const apart = { settings, measured, trials: other.trials.map((trial) => ({ ...trial, settings })) };
    await expect(predictLeftOut(one, { ...options, cells: [one, other], shared: [] })).resolves.toBeDefined();
    await expect(predictLeftOut(one, { ...options, cells: [one, apart], shared: [] })).rejects.toThrow(/at least 100 are needed/);
  });

  it('does not see the trials of its own cell', async () => {
    const [slow, fast] = [cell(1, 20), cell(2, 2)];
    const among = { ...options, cells: [slow, fast], shared: [] };
    // Fitted to the other: 2 ms for the first, 20 ms for the second, which no goal of 12 ms allows.
    expect((await predictLeftOut(slow, among)).predicted).toBeGreaterThan(300);
    expect((await predictLeftOut(fast, among)).predicted).toBe(0);
  });

  it('does not see shared trials with its own settings', async () => {
    const slow = cell(1, 20);
    const of = (shared: readonly Trial[]) => predictLeftOut(slow, { ...options, cells: [slow, cell(2, 2)], shared });
    expect((await of(slow.trials)).predicted).toBe((await of([])).predicted);
  });

  it('counts each shared trial once, however many cells there are', async () => {
    // Two say 4 ms, three say 2 ms: the weighted median is the latter unless the former are counted for each cell.
    const settings = { ...ONE_LANE, maxBatchSize: 32 };
    const shared = [4, 4].map((ms) => trialOf({ settings, inFlight: 1, runs: [{ rows: 1, runs: 1000, ms }] }));
    const cells = [cell(1, 2), cell(2, 2), cell(4, 2), cell(8, 2)];
    expect((await predictLeftOut(cell(1, 2), { ...options, cells, shared })).predicted).toBeGreaterThan(300);
  });

  it('is refused where nothing remains', async () => {
    const only = cell(1, 2);
    await expect(predictLeftOut(only, { ...options, cells: [only], shared: [] })).rejects.toThrow(/at least 100 are needed/);
  });
});
