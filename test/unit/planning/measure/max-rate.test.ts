import { describe, expect, it } from 'vitest';
import { findMaxRate, type FoundRate, type RateSearch, type SearchProgress } from '../../../../src/planning/measure/max-rate.js';
import type { Trial, TrialLoad } from '../../../../src/planning/measure/trial.js';
import { SimulatedQueue, type Queue } from './simulated-queue.js';
import { GOAL, resultOf, SETTINGS, SimulatedServer, type SimulatedMachine } from './simulated-server.js';

const HIGHEST = 1000;
const SEEDS = Array.from({ length: 60 }, (_, i) => i + 1);

async function search(
  machine: Partial<SimulatedMachine>,
  seed: number,
  given: Partial<RateSearch> = {},
): Promise<{ found: FoundRate; server: SimulatedServer }> {
  const server = new SimulatedServer({ highest: () => HIGHEST, ...machine }, seed);
  const found = await findMaxRate({
    settings: SETTINGS,
    goal: GOAL,
    rowsPerRequest: 1,
    arrivals: 'poisson',
    seed,
    budgetS: 60,
    firstGuess: null,
    measure: (load) => Promise.resolve(server.measure(SETTINGS, load)),
    progress: () => {},
    clock: server.clock,
    ...given,
  });
  return { found, server };
}

async function searches(machine: Partial<SimulatedMachine>, given: Partial<RateSearch> = {}): Promise<readonly FoundRate[]> {
  return Promise.all(SEEDS.map(async (seed) => (await search(machine, seed, given)).found));
}

const shareOf = (found: readonly FoundRate[], holds: (one: FoundRate) => boolean): number => found.filter(holds).length / found.length;
const isNear =
  (share: number) =>
  ({ rate }: FoundRate): boolean =>
    Math.abs(rate.value / HIGHEST - 1) <= share;
const encloses = ({ rate }: FoundRate): boolean => rate.low <= HIGHEST && HIGHEST <= rate.high;

describe('findMaxRate', () => {
  it.each<[string, number, Partial<SimulatedMachine>, Partial<RateSearch>]>([
    ['from a closed loop', 0.06, {}, {}],
    ['from a guess far too low', 0.12, {}, { firstGuess: HIGHEST / 4 }],
    ['from a guess far too high', 0.12, {}, { firstGuess: HIGHEST * 4 }],
    ['up to a cliff', 0.06, { steepness: 60 }, {}],
  ])('finds it %s, within %d', async (_, within, machine, given) => {
    const found = await searches(machine, given);
    expect(shareOf(found, isNear(within))).toBeGreaterThan(0.9);
    expect(shareOf(found, encloses)).toBeGreaterThan(0.97);
    expect(shareOf(found, ({ isConfirmed }) => isConfirmed)).toBe(1);
    expect(found.every(({ rate }) => rate.low <= rate.value && rate.value <= rate.high)).toBe(true);
  });

  it('comes nearer with more time', async () => {
    const found = await searches({}, { budgetS: 600 });
    expect(shareOf(found, isNear(0.035))).toBeGreaterThan(0.9);
  });

  it('is not thrown off by hiccups of the machine', async () => {
    const found = await searches({ hiccups: 0.05 });
    expect(shareOf(found, isNear(0.15))).toBeGreaterThan(0.9);
    expect(shareOf(found, ({ rate }) => rate.low <= HIGHEST)).toBe(1);
  });

  it('keeps to its budget, and tells how it goes', async () => {
    for (const budgetS of [5, 20, 60]) {
      const told: SearchProgress[] = [];
      const { server } = await search({}, 1, { budgetS, progress: (progress) => told.push(progress) });
      expect(server.nowS).toBeLessThan(budgetS * 1.05);
      expect(server.nowS).toBeGreaterThan(budgetS * 0.5);
      expect(told[0]).toEqual({ done: 0, share: 0, secondsLeft: budgetS, text: '16 requests in flight' });
      expect(told.at(-1)?.text).toMatch(/^\d+ requests per second$/);
      expect(told.map(({ done }) => done)).toEqual(server.loads.map((_, i) => i));
    }
  });

  it('says 0 when not even the lowest rate meets the goal', async () => {
    const { found } = await search({ highest: () => 0 }, 1);
    expect(found).toMatchObject({ rate: { value: 0, low: 0 }, isConfirmed: false });
    const slow = await search({ highest: () => 1e-9 }, 1, { firstGuess: 500 });
    expect(slow.found).toMatchObject({ rate: { value: 0, low: 0 }, isConfirmed: false });
    expect(slow.found.rate.high).toBeLessThan(50);
  });

  it('gives up what is clearly behind after a trial or two', async () => {
    const given = { firstGuess: 1500, giveUpBelow: 1500, precision: 0.1, budgetS: 12 };
    const found = await searches({}, given);
    expect(shareOf(found, ({ isGivenUp, trials }) => isGivenUp && trials.length <= 4)).toBeGreaterThan(0.9);
    const better = await searches({}, { ...given, giveUpBelow: 700, firstGuess: 700 });
    expect(shareOf(better, ({ isGivenUp }) => isGivenUp)).toBe(0);
  });

  it('asks for the same trials when it is repeated', async () => {
    const [first, second] = [await search({}, 3), await search({}, 3)];
    expect(first.server.loads).toEqual(second.server.loads);
  });
});

describe('a load generator that is late itself', () => {
  it('still shows what meets the goal', async () => {
    const found = await searches({ lateFrom: 0 });
    expect(shareOf(found, isNear(0.1))).toBeGreaterThan(0.9);
    expect(shareOf(found, ({ rate }) => rate.low <= HIGHEST)).toBe(1);
  });

  it('is asked three times, and never speaks against the server', async () => {
    const { found, server } = await search({ lateFrom: 600, highest: (): number => 500 }, 1, { firstGuess: 900 });
    expect(server.loads.filter(({ rate }) => rate === server.loads[0]?.rate)).toHaveLength(3);
    expect(new Set(server.loads.map(({ seed }) => seed)).size).toBe(server.loads.length);
    expect(found.rate.value).toBeGreaterThan(400);
    expect(found.rate.value).toBeLessThan(505);
  });

  it('is named when it hides the upper end', async () => {
    const { found } = await search({ lateFrom: 0 }, 1);
    expect(found.notes).toEqual([expect.stringMatching(/^from \d+ requests per second on the load generator was late itself/)]);
    expect((await search({}, 1)).found.notes).toEqual([]);
  });
});

describe('a server whose misses come in clusters', () => {
  // One run in 25 takes four times as long: its tail has steps.
  it.each<[string, Queue, number]>([
    ['M/D/1', { runMs: 1.7, goal: { percentile: 99, latencyMs: 12 } }, 401.5],
    ['a queue of two kinds of runs', { runMs: 1.5, goal: { percentile: 99, latencyMs: 12 }, slowFactor: 4, slowOneIn: 25 }, 334],
  ])('is not said to sustain more than it does: %s', async (_, queue, highest) => {
    const runs = Array.from({ length: 100 }, async (_, i) => {
      const server = new SimulatedQueue(queue);
      const given = { settings: SETTINGS, goal: queue.goal, rowsPerRequest: 1, arrivals: 'poisson', firstGuess: null, progress: () => {} };
      const measure = (load: TrialLoad): Promise<Trial> => Promise.resolve(server.measure(load));
      return findMaxRate({ ...given, seed: 1000 * (i + 1), budgetS: i % 2 === 0 ? 38 : 100, measure, clock: server.clock });
    });
    const found = await Promise.all(runs);
    expect(shareOf(found, ({ rate }) => rate.low > highest)).toBeLessThanOrEqual(0.05);
    expect(shareOf(found, ({ rate }) => rate.high < highest)).toBeLessThanOrEqual(0.05);
    expect(shareOf(found, ({ isConfirmed, rate }) => isConfirmed && rate.low > 0.7 * highest)).toBeGreaterThan(0.15);
  });
});

describe('a slow model', () => {
  const goal = { percentile: 90, latencyMs: 10_000 };
  const given = { settings: SETTINGS, goal, rowsPerRequest: 1, arrivals: 'poisson', seed: 1, budgetS: 600, progress: () => {} };

  it('is measured for as long as its requests take', async () => {
    const server = new SimulatedQueue({ runMs: 3000, goal });
    const measure = (load: TrialLoad): Promise<Trial> => Promise.resolve(server.measure(load));
    const { rate, trials } = await findMaxRate({ ...given, firstGuess: null, measure, clock: server.clock });
    expect(trials[0]?.result.counts.requests).toBeGreaterThan(0);
    expect(rate.value).toBeGreaterThan(0.1);
    expect(rate.value).toBeLessThan(0.34);
    expect(rate.high).toBeGreaterThan(rate.value);
  });

  it('is given twice the time while no request is counted, and never taken for one that answers nothing', async () => {
    const server = new SimulatedQueue({ runMs: 3000, goal: { percentile: 90, latencyMs: 20 } });
    const loads: TrialLoad[] = [];
    const measure = (load: TrialLoad): Promise<Trial> => {
      loads.push(load);
      return Promise.resolve(server.measure(load));
    };
    const hasTime = { goal: { percentile: 90, latencyMs: 20 }, budgetS: 60, firstGuess: null };
    await findMaxRate({ ...given, ...hasTime, measure, clock: server.clock });
    expect(loads.slice(0, 3).map(({ seconds }) => seconds)).toEqual([1, 2, 4]);
    expect(loads[2]?.rate).toBeNull();
    expect(loads[3]?.rate).not.toBeNull();
  });

  it('learns nothing from trials with hardly a request', async () => {
    const server = new SimulatedQueue({ runMs: 100, goal });
    const measure = (load: TrialLoad): Promise<Trial> => {
      const trial = server.measure(load);
      const parts = Array.from({ length: 24 }, (_, i) => [load.seconds > 8 ? 10 : i < 4 ? 1 : 0, load.seconds > 8 ? 10 : 0] as const);
      return Promise.resolve({ ...trial, result: resultOf(parts, 100, null, goal.latencyMs) });
    };
    const loads: number[] = [];
    const counted = (load: TrialLoad): Promise<Trial> => {
      loads.push(load.seconds);
      return measure(load);
    };
    const { rate } = await findMaxRate({ ...given, budgetS: 60, firstGuess: 2, measure: counted, clock: server.clock });
    expect(loads[1]).toBe(2 * (loads[0] ?? 0));
    expect(rate.value).toBeLessThan(2);
    expect(rate.low).toBe(0);
  });
});
