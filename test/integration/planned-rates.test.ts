/** The planner's predictions over the real simulation, where the answer is known. */
import { describe, expect, it } from 'vitest';
import { simulate } from '../../src/bridge/simulation.js';
import { planAutoscaling, planReplicas } from '../../src/planning/server-model/fleet.js';
import { fitServer } from '../../src/planning/server-model/fit-server.js';
import { predictMaxRate } from '../../src/planning/server-model/predict-rate.js';
import type { Simulate } from '../../src/planning/server-model/simulation-job.js';
import { longerWaitShare, ONE_LANE, steadyServer, trialOf } from '../unit/planning/server-model/known-server.js';

const SLOW_MACHINE_MS = 300_000;
const run: Simulate = (jobs) => Promise.resolve(jobs.map((job) => simulate(job)));
const RUN_MS = 2;
const queue = {
  fitted: steadyServer(() => RUN_MS, [1, 2]),
  settings: { ...ONE_LANE, maxBatchSize: 1 },
  goal: { percentile: 99, latencyMs: 8 },
};
const options = { arrivals: 'poisson', rowsPerRequest: 1, seed: 5, simulate: run };

/** Of M/D/1 with 1 % of the answers later than the goal. */
function exactRate(): number {
  let [low, high] = [0, 1 / RUN_MS];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (longerWaitShare(middle, RUN_MS, queue.goal.latencyMs - RUN_MS) > 0.01) high = middle;
    else low = middle;
  }
  return 1e3 * low;
}

describe('predictions over the simulation', { timeout: SLOW_MACHINE_MS }, () => {
  it('find the highest rate of a queue whose formula is known, on the low side', async () => {
    const predicted = await predictMaxRate(queue.fitted, queue.settings, queue.goal, options);
    expect(predicted / exactRate()).toBeGreaterThan(0.97);
    expect(predicted / exactRate()).toBeLessThan(1.005);
  });

  it('sustain more with larger batches, where a run has a fixed part, and less in bursts', async () => {
    const runs = [1, 2, 4, 8].map((rows) => ({ rows, runs: 1000, ms: 2 + 0.2 * rows }));
    const fitted = fitServer([trialOf({ inFlight: 1, runs: runs.slice(0, 1) }), trialOf({ runs })], 4);
    const at = (maxBatchSize: number, arrivals = 'poisson'): Promise<number> =>
      predictMaxRate(fitted, { ...ONE_LANE, maxBatchSize }, { percentile: 99, latencyMs: 15 }, { ...options, arrivals });
    const [alone, eight, bursts] = [await at(1), await at(8), await at(8, 'gamma:0.25')];
    expect(eight).toBeGreaterThan(3 * alone);
    expect(bursts).toBeLessThan(eight);
    expect(bursts).toBeGreaterThan(0);
  });
});

describe('fleets over the simulation', { timeout: SLOW_MACHINE_MS }, () => {
  const sustained = { value: exactRate(), low: 0.98 * exactRate(), high: exactRate() };
  const fleet = { ...queue, ...options, sustained, headroom: 0.2, refusesLate: true };

  it('meet the goal with the spare one gone, and lose what it had in flight', async () => {
    const plan = await planReplicas({ ...fleet, rate: 3000, spare: 1 });
    expect(plan.needed).toBe(Math.ceil(3000 / (sustained.low * 0.8)));
    expect(plan.p99WithoutSpareMs).toBeLessThanOrEqual(queue.goal.latencyMs);
    expect(plan.p99Ms).toBeLessThan(plan.p99WithoutSpareMs ?? 0);
    expect(plan.lostWithSpare).toBeLessThan(20);
  });

  it('of thousands are planned from a part of them, which does as the whole does', async () => {
    const few = await planReplicas({ ...fleet, rate: 40 * sustained.low * 0.8, spare: 0 });
    const thousands = await planReplicas({ ...fleet, rate: 4000 * sustained.low * 0.8, spare: 0 });
    expect([few.needed, thousands.needed]).toEqual([40, 4000]);
    expect(Math.abs((thousands.p99Ms ?? 0) / (few.p99Ms ?? 1) - 1)).toBeLessThan(0.05);
  });

  it('carry a hundred requests an hour, on a server that does one a second at most', async () => {
    const slow = { fitted: steadyServer(() => 1000, [1, 2]), settings: queue.settings, goal: { percentile: 99, latencyMs: 5000 } };
    const rate = await predictMaxRate(slow.fitted, slow.settings, slow.goal, options);
    expect(rate).toBeGreaterThan(0.5);
    const load = {
      ...slow,
      ...options,
      sustained: { value: rate, low: rate, high: rate },
      headroom: 0.2,
      refusesLate: true,
      rate: 100 / 3600,
    };
    const plan = await planReplicas({ ...load, spare: 1 });
    expect(plan).toMatchObject({ needed: 1, total: 2 });
    const { targetRate, ramp } = await planAutoscaling({ ...load, replicas: plan, delaySeconds: 45 });
    expect(targetRate).toBeCloseTo(0.8 * rate, 9);
    expect(ramp.isMet).toBe(true);
  });

  it('have a headroom that lasts until a further replica is ready', async () => {
    const plan = await planAutoscaling({ ...fleet, rate: 3000, replicas: { needed: 12, spare: 1 }, delaySeconds: 45 });
    expect(plan.targetLaneBusy).toBeCloseTo((plan.targetRate * RUN_MS) / 1e3, 1);
    expect(plan.ramp.isMet).toBe(true);
  });
});
