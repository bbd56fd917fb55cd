import { describe, expect, it } from 'vitest';
import { planFleet, predictCells } from '../../../../src/planning/plan/plan-fleet.js';
import type { Simulate } from '../../../../src/planning/server-model/simulation-job.js';
import { ONE_LANE, simulateQueues, trialOf } from '../server-model/known-server.js';

const settings = { ...ONE_LANE, maxBatchSize: 1 };
const hardware = { gpu: 'NVIDIA L4', cpus: 2 };
const options = {
  ...{
    goal: { percentile: 99, latencyMs: 12 },
    rate: 2000,
    arrivals: 'poisson',
    batchSize: 1,
    seed: 1,
    headroom: 0.2,
    spare: 1,
    startUpS: 15,
  },
  ...{ minReplicas: null, maxReplicas: null, kind: '', pricePerHour: null },
  prices: { currency: 'USD', perHour: new Map([['L4', 0.8]]), isExample: true },
};
/** 2 ms a run, whatever the settings. */
const loneOf = (maxBatchSize: number) =>
  trialOf({ settings: { ...settings, maxBatchSize }, inFlight: 1, runs: [{ rows: 1, runs: 1000, ms: 2 }] });
const best = { settings, rate: { value: 330, low: 320, high: 340 } };

describe('a fleet', () => {
  it('needs more replicas where models share their devices, and pays for its share of each', async () => {
    const alone = await planFleet(options, best, [loneOf(1)], hardware, simulateQueues);
    const shared = await planFleet({ ...options, sharedBy: 2 }, best, [loneOf(1)], hardware, simulateQueues);
    // Runs of 4 ms that are to end within 12: less than half as many requests.
    expect(shared.replicas?.needed).toBeGreaterThan(2 * (alone.replicas?.needed ?? Infinity));
    expect(shared.autoscaling?.targetRate).toBeLessThan((alone.autoscaling?.targetRate ?? 0) / 2);
    expect(shared.replicas?.p99WithoutSpareMs).toBeLessThanOrEqual(12);
    expect([alone.cost?.perHour, shared.cost?.perHour]).toEqual([0.8, 0.4]);
    expect(shared.fitted).toEqual(alone.fitted);
  });

  it('costs what the user pays for a replica, shared or not', async () => {
    const { cost } = await planFleet({ ...options, sharedBy: 2, pricePerHour: 3 }, best, [loneOf(1)], hardware, simulateQueues);
    expect(cost?.perHour).toBe(3);
  });

  it('is none where so many models share a device that no rate meets the goal', async () => {
    const crowded = planFleet({ ...options, sharedBy: 8 }, best, [loneOf(1)], hardware, simulateQueues);
    await expect(crowded).rejects.toThrow(/no number of them carries a load/);
  });
});

describe('predictions of a plan', () => {
  const cellOf = (maxBatchSize: number) => ({
    settings: { ...settings, maxBatchSize },
    measured: best.rate,
    trials: [trialOf({ settings: { ...settings, maxBatchSize }, runs: [{ rows: 1, runs: 1000, ms: 2 }] })],
  });

  it('leave out the cell that alone has what a fit needs', async () => {
    const predictions = await predictCells(options, [cellOf(1), cellOf(2), cellOf(4)], [loneOf(4)], hardware, simulateQueues);
    expect(predictions.map((each) => each.settings.maxBatchSize)).toEqual([1, 2]);
  });

  it('and fleets end with the reason of a stop, as it is', async () => {
    const reason = new Error('stopped by the user');
    const stopped: Simulate = () => Promise.reject(reason);
    await expect(planFleet(options, best, [loneOf(1)], hardware, stopped)).rejects.toBe(reason);
    await expect(predictCells(options, [cellOf(1), cellOf(2)], [loneOf(4)], hardware, stopped)).rejects.toBe(reason);
  });
});
