import { describe, expect, it } from 'vitest';
import { findMaxRate, type FoundRate, type RateSearch, type SearchProgress } from '../../../../src/planning/measure/max-rate.js';
import { GOAL, SETTINGS, SimulatedServer, type SimulatedMachine } from './simulated-server.js';

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
  it.each<[string, Partial<SimulatedMachine>, Partial<RateSearch>]>([
    ['from a closed loop', {}, {}],
    ['from a guess far too low', {}, { firstGuess: HIGHEST / 4 }],
    ['from a guess far too high', {}, { firstGuess: HIGHEST * 4 }],
    ['up to a cliff', { steepness: 60 }, {}],
  ])('finds it %s', async (_, machine, given) => {
    const found = await searches(machine, given);
    expect(shareOf(found, isNear(0.06))).toBeGreaterThan(0.9);
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
