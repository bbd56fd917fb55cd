import { describe, expect, it } from 'vitest';
import type { SimulationJob } from '../../../../src/bridge/simulation.js';
import { predictMaxRate } from '../../../../src/planning/server-model/predict-rate.js';
import { simulationJob, type Simulate } from '../../../../src/planning/server-model/simulation-job.js';
import { longerWaitShare, ONE_LANE, simulateQueues, steadyServer } from './known-server.js';

const RUN_MS = 2;
const settings = { ...ONE_LANE, maxBatchSize: 1 };
const fitted = steadyServer(() => RUN_MS, [1, 2]);
const options = { arrivals: 'poisson', rowsPerRequest: 1, seed: 1, simulate: simulateQueues };

/** The rate per second at which exactly `share` of an M/D/1 queue takes longer. */
function exactRate(latencyMs: number, share: number): number {
  let [low, high] = [0, 1 / RUN_MS];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (longerWaitShare(middle, RUN_MS, latencyMs - RUN_MS) > share) high = middle;
    else low = middle;
  }
  return 1e3 * low;
}

describe('the highest rate that meets a goal', () => {
  it.each([
    [99, 6],
    [99, 12],
    [90, 5],
  ])('is that of the queue by formula: p%d within %d ms', async (percentile, latencyMs) => {
    const predicted = await predictMaxRate(fitted, settings, { percentile, latencyMs }, options);
    const exact = exactRate(latencyMs, 1 - percentile / 100);
    expect(predicted / exact).toBeGreaterThan(0.995);
    expect(predicted / exact).toBeLessThan(1.001);
  });

  it('is nothing when a lone request takes longer', async () => {
    expect(await predictMaxRate(fitted, settings, { percentile: 99, latencyMs: 1.9 }, options)).toBe(0);
  });

  it('is found of a server that does less than one a second', async () => {
    const slow = steadyServer(() => 3000, [1, 2]);
    const asked: number[] = [];
    const recorded: Simulate = (jobs) => {
      asked.push(...jobs.map(({ arrivals }) => arrivals.lengthS));
      return simulateQueues(jobs);
    };
    const predicted = await predictMaxRate(slow, settings, { percentile: 99, latencyMs: 18_000 }, { ...options, simulate: recorded });
    // As of runs and a goal that are 1500 times shorter.
    expect((predicted * 1500) / exactRate(12, 0.01)).toBeCloseTo(1, 2);
    expect(Math.max(...asked)).toBeLessThanOrEqual(1e6);
  });

  it('is never more than the lanes can run, however loose the goal', async () => {
    const always: Simulate = async (jobs) => (await simulateQueues(jobs)).map((result) => ({ ...result, late: 0 }));
    const predicted = await predictMaxRate(fitted, settings, { percentile: 99, latencyMs: 10_000 }, { ...options, simulate: always });
    expect(predicted).toBeLessThanOrEqual(500);
    expect(predicted).toBeGreaterThan(490);
  });

  it('lies below the mean where seeds differ', async () => {
    const faster = (seed: number): number => 1 + 0.02 * ((seed % 4) - 1.5);
    const uneven: Simulate = (jobs) =>
      simulateQueues(jobs.map((job) => ({ ...job, arrivals: { ...job.arrivals, rate: job.arrivals.rate * faster(job.seed) } })));
    const goal = { percentile: 99, latencyMs: 8 };
    const predicted = await predictMaxRate(fitted, settings, goal, { ...options, simulate: uneven });
    expect(predicted).toBeLessThan(0.985 * exactRate(8, 0.01));
    expect(predicted).toBeGreaterThan(0.96 * exactRate(8, 0.01));
  });

  it('asks for its rates in few batches of many jobs, with the same seeds at each rate', async () => {
    const batches: (readonly SimulationJob[])[] = [];
    const recorded: Simulate = (jobs) => {
      batches.push(jobs);
      return simulateQueues(jobs);
    };
    await predictMaxRate(fitted, settings, { percentile: 99, latencyMs: 8 }, { ...options, simulate: recorded });
    expect(batches.length).toBeLessThanOrEqual(5);
    for (const jobs of batches.slice(1)) {
      expect(jobs.length).toBe(24);
      expect(new Set(jobs.map(({ seed }) => seed)).size).toBe(4);
    }
  });

  it('is not looked for in a trace, which has one rate', async () => {
    const traced = predictMaxRate(fitted, settings, { percentile: 99, latencyMs: 8 }, { ...options, arrivals: 'trace:x' });
    await expect(traced).rejects.toThrow(/arrivals "trace:x" cannot be planned for/);
  });
});

describe('a job of the simulation', () => {
  const load = { arrivals: 'poisson', rowsPerRequest: 1, seed: 1, requests: 70_000, servers: 1, goalMs: 0 };

  it('has the run times of its rate and a slowdown for all of its lanes', () => {
    const server = { ...fitted, contention: 0.5, laneSlowdown: [1, 1.5], frontEnd: { threads: 1, perRequestMs: 0.1, fixedMs: 0 } };
    const jobs = [100, 2000].map((rate) => simulationJob(server, { ...settings, lanes: 3 }, { ...load, rate }));
    expect(jobs.map(({ runTimes }) => runTimes[0]?.quantilesMs[0])).toEqual([RUN_MS * 1.005, RUN_MS * 1.1]);
    expect(jobs[0]?.laneSlowdown).toEqual([1, 1.5, 2.25]);
  });

  it.each([1000, 1, 1 / 3600, 1e-9])('is no longer than can be simulated, at %d requests a second', (rate) => {
    const { arrivals, warmUpS } = simulationJob(fitted, settings, { ...load, rate });
    expect(arrivals.lengthS).toBeLessThanOrEqual(1e6);
    expect(arrivals.lengthS / warmUpS).toBeCloseTo(11, 9);
  });
});
