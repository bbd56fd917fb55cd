import { describe, expect, it } from 'vitest';
import type { SimulationJob } from '../../../../src/bridge/simulation.js';
import {
  planAutoscaling,
  planReplicas,
  replicasByLoad,
  shareDevice,
  type FleetOptions,
} from '../../../../src/planning/server-model/fleet.js';
import { rampMoments } from '../../../../src/planning/server-model/load-ramp.js';
import type { Simulate } from '../../../../src/planning/server-model/simulation-job.js';
import { ONE_LANE, simulateQueues, steadyServer } from './known-server.js';

/** 1.7 ms a run: p99 within 12 ms beyond 400 a second. */
const fleet: FleetOptions = {
  fitted: steadyServer(() => 1.7, [1, 2]),
  settings: { ...ONE_LANE, maxBatchSize: 1 },
  goal: { percentile: 99, latencyMs: 12 },
  rate: 2000,
  sustained: { value: 390, low: 380, high: 400 },
  headroom: 0.3,
  refusesLate: true,
  arrivals: 'poisson',
  rowsPerRequest: 1,
  seed: 1,
  simulate: simulateQueues,
};

describe('replicas for a load', () => {
  it('leave the headroom of the lower end free, with the spare ones gone', async () => {
    const plan = await planReplicas({ ...fleet, spare: 1 });
    // 2000 / (380 x 0.7) = 7.5
    expect(plan).toMatchObject({ needed: 8, spare: 1, total: 9, headroom: 0.3, rateOfEach: 2000 / 9, lostWithSpare: 3 });
    expect(plan.p99WithoutSpareMs).toBeGreaterThan(plan.p99Ms ?? Infinity);
    expect(plan.p99WithoutSpareMs).toBeLessThan(12);
  });

  it('refuse what cannot be in time while spare ones die, where the configuration has the goal, and nothing before', async () => {
    const goals = async (refusesLate: boolean) => {
      const jobs: SimulationJob[] = [];
      const simulate: Simulate = (asked) => {
        jobs.push(...asked);
        return simulateQueues(asked);
      };
      await planReplicas({ ...fleet, refusesLate, spare: 1, simulate });
      const of = (isDying: boolean) => jobs.filter(({ events }) => events.length > 0 === isDying).map((job) => job.batching.latencyGoalMs);
      return { dying: of(true), others: [...new Set(of(false))] };
    };
    expect(await goals(true)).toEqual({ dying: [12], others: [0] });
    expect(await goals(false)).toEqual({ dying: [0], others: [0] });
  });

  it('lose nothing where none is spare', async () => {
    const plan = await planReplicas({ ...fleet, spare: 0 });
    expect(plan).toMatchObject({ needed: 8, total: 8, lostWithSpare: 0 });
    expect(plan.p99WithoutSpareMs).toBe(plan.p99Ms);
  });

  it('are as many as divide the load exactly', async () => {
    const plan = await planReplicas({ ...fleet, headroom: 0, sustained: { value: 250, low: 250, high: 250 }, spare: 0 });
    expect(plan.needed).toBe(8);
  });

  it('are more where the simulation says that the measured rate is too good', async () => {
    const optimistic = { ...fleet, headroom: 0, sustained: { value: 550, low: 550, high: 550 } };
    const plan = await planReplicas({ ...optimistic, spare: 1 });
    expect(plan.needed).toBeGreaterThan(4);
    expect(plan.p99WithoutSpareMs).toBeLessThanOrEqual(12);
    const loads = replicasByLoad(optimistic, plan);
    expect(loads.find(({ rate }) => rate === 2000)?.replicas).toBe(plan.total);
  });

  it('are refused where the fitted server contradicts what was measured', async () => {
    const slow = planReplicas({ ...fleet, sustained: { value: 5000, low: 5000, high: 5000 }, spare: 1 });
    await expect(slow).rejects.toThrow(/does not describe the measured one/);
    const nothing = planReplicas({ ...fleet, sustained: { value: 0, low: 0, high: 0 }, spare: 1 });
    await expect(nothing).rejects.toThrow(/no number of them carries a load/);
  });

  it('are simulated by at most 64 of them, each with its share of the load', async () => {
    const jobs: SimulationJob[] = [];
    const recorded: Simulate = (asked) => {
      jobs.push(...asked);
      return simulateQueues(asked);
    };
    const plan = await planReplicas({ ...fleet, rate: 1_000_000, spare: 2, simulate: recorded });
    expect(plan.needed).toBe(Math.ceil(1_000_000 / 266));
    expect(Math.max(...jobs.map(({ servers }) => servers))).toBe(64);
    const [first] = jobs;
    expect((first?.arrivals.rate ?? 0) / 64).toBeCloseTo(1_000_000 / plan.needed, 9);
  });

  it('lose with the spare ones as many as those had, where more are spare than are simulated', async () => {
    const plan = await planReplicas({ ...fleet, rate: 1_000_000, spare: 200 });
    // 63 are simulated to die, with 3 requests each.
    expect(plan.lostWithSpare).toBe(3 * 200);
  });

  it('can carry a hundred requests an hour, on a server that takes a second for each', async () => {
    const jobs: SimulationJob[] = [];
    const recorded: Simulate = (asked) => {
      jobs.push(...asked);
      return simulateQueues(asked);
    };
    const slow = { fitted: steadyServer(() => 1000, [1, 2]), goal: { percentile: 99, latencyMs: 5000 }, simulate: recorded };
    const options = { ...fleet, ...slow, rate: 100 / 3600, sustained: { value: 0.5, low: 0.4, high: 0.6 }, spare: 1 };
    const plan = await planReplicas(options);
    expect(plan).toMatchObject({ needed: 1, total: 2 });
    await planAutoscaling({ ...options, replicas: plan, delaySeconds: 60 });
    // The simulation takes no more.
    expect(Math.max(...jobs.map(({ arrivals }) => arrivals.lengthS))).toBeLessThanOrEqual(1e6);
  });
});

describe('replicas over loads', () => {
  /** Of the points, as a reader takes them: the first whose rate is enough. */
  const countAt = (loads: ReturnType<typeof replicasByLoad>, rate: number) => loads.find((point) => rate <= point.rate)?.replicas;

  it('have a point at each number, up to which load it is enough, and at the load itself', () => {
    const loads = replicasByLoad(fleet, { needed: 8, spare: 1 });
    expect(loads.slice(0, 2)).toEqual([
      { rate: 266, replicas: 2 },
      { rate: 532, replicas: 3 },
    ]);
    expect(loads).toContainEqual({ rate: 2000, replicas: 9 });
    expect(loads.at(-1)).toEqual({ rate: 8000, replicas: Math.ceil(8000 / 266) + 1 });
    for (let rate = 10; rate <= 8000; rate += 10) expect(countAt(loads, rate)).toBe(Math.ceil(rate / 266) + 1);
  });

  it('are not drawn as more than are needed between two points', () => {
    const loads = replicasByLoad({ rate: 2000, sustained: { value: 600, low: 600, high: 600 }, headroom: 0 }, { needed: 4, spare: 0 });
    expect(countAt(loads, 2100)).toBe(4);
  });

  it('are one number where one is enough for four times the load', () => {
    const idle = { rate: 100, sustained: { value: 9000, low: 9000, high: 9000 }, headroom: 0.2 };
    expect(replicasByLoad(idle, { needed: 1, spare: 1 })).toEqual([
      { rate: 100, replicas: 2 },
      { rate: 400, replicas: 2 },
    ]);
  });

  it('are as many for other loads as the simulation asked for at this one', () => {
    const loads = replicasByLoad(fleet, { needed: 10, spare: 0 });
    expect(loads.filter(({ rate }) => Math.abs(rate - 2000) < 1)).toEqual([{ rate: 2000, replicas: 10 }]);
    expect(loads[0]).toEqual({ rate: 200, replicas: 1 });
    expect(loads.at(-1)).toEqual({ rate: 8000, replicas: 40 });
  });

  it('skip numbers where there are very many, and never say too few', () => {
    const loads = replicasByLoad({ ...fleet, rate: 1_000_000 }, { needed: 3760, spare: 2 });
    expect(loads.length).toBeLessThanOrEqual(62);
    expect(loads).toContainEqual({ rate: 1_000_000, replicas: 3762 });
    for (const { rate, replicas } of loads) expect(replicas).toBe(Math.ceil((rate / 266) * (1 - 1e-9)) + 2);
  });
});

describe('autoscaling', () => {
  const replicas = { needed: 8, spare: 1 };

  it('aims at the lane-busy share of the rate that leaves the headroom', async () => {
    const plan = await planAutoscaling({ ...fleet, replicas, delaySeconds: 60 });
    expect(plan).toMatchObject({ least: 2, most: 17, targetRate: 266, delaySeconds: 60 });
    expect(plan.targetLaneBusy).toBeCloseTo(0.266 * 1.7, 9);
    expect(plan.ramp.growthPerSecond).toBeCloseTo((380 / 266 - 1) / 60, 9);
    expect(plan.ramp.isMet).toBe(true);
  });

  it('aims as high where one replica has hardly anything to do', async () => {
    const small = await planAutoscaling({ ...fleet, rate: 10, replicas: { needed: 1, spare: 1 }, delaySeconds: 60 });
    expect(small.targetRate).toBe(266);
  });

  it('aims lower where the simulation asked for more replicas than the measured rate does', async () => {
    const { targetRate } = await planAutoscaling({ ...fleet, replicas: { needed: 10, spare: 1 }, delaySeconds: 60 });
    expect(targetRate).toBe(200);
  });

  it('says so when the headroom does not last until a further replica is ready', async () => {
    const slow = { ...fleet, fitted: steadyServer(() => 2.6, [1, 2]), replicas, delaySeconds: 60 };
    expect((await planAutoscaling(slow)).ramp.isMet).toBe(false);
  });

  it('simulates a load that rises in a straight line', () => {
    const moments = rampMoments(100, 300, 50, 7);
    expect(moments).toEqual([...moments].sort((a, b) => a - b));
    expect(moments.length / 10_000).toBeCloseTo(1, 1);
    // Half of the time brings 100 x 25 + 2 x 25 x 25 = 3750 of 10000.
    expect(moments.filter((moment) => moment < 25).length / moments.length).toBeCloseTo(0.375, 1);
    expect(moments.at(-1)).toBeLessThan(50);
  });

  it('simulates the end of a ramp that has more requests than can be simulated', () => {
    const moments = rampMoments(10_000, 20_000, 100, 7);
    expect(moments.length / 200_000).toBeCloseTo(1, 1);
    expect(moments[0]).toBeGreaterThan(85);
  });
});

it('makes runs as many times as long as models share a device', () => {
  const shared = shareDevice(fleet.fitted, 3);
  expect(shared.runTimes.map(({ quantilesMs }) => quantilesMs)).toEqual([
    [1.7 * 3, 1.7 * 3],
    [1.7 * 3, 1.7 * 3],
  ]);
  expect(shared.frontEnd).toEqual(fleet.fitted.frontEnd);
});
