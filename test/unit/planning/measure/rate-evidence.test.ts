import { describe, expect, it } from 'vitest';
import { dispersionAmong, isWithin, rateBounds, tallyOf, verdictOf, withTrials } from '../../../../src/planning/measure/rate-evidence.js';
import type { Trial } from '../../../../src/planning/measure/trial.js';
import { SimulatedQueue } from './simulated-queue.js';
import { GOAL, PARTS, resultOf, SETTINGS } from './simulated-server.js';

/** Misses that come evenly, and ten times as many requests as it would take if trials said nothing of clusters. */
function trial(rate: number, requests: number, over: number, refused = false): Trial {
  const load = { rate, inFlight: null, arrivals: 'poisson', seconds: 1, rowsPerRequest: 1, seed: 1, goalMs: GOAL.latencyMs };
  const even = (count: number, i: number): number => Math.floor(((i + 1) * count) / PARTS) - Math.floor((i * count) / PARTS);
  const parts = Array.from({ length: PARTS }, (_, i) => [even(10 * requests, i), even(10 * over, i)] as const);
  const result = resultOf(parts, 1, refused ? 'late itself' : null);
  return { settings: SETTINGS, gpus: 0, load, result, batches: [], laneCpuMs: 0, frontEndCpuMs: 0 };
}

describe('tallyOf', () => {
  const parts = [
    [600, 5],
    [400, 2],
  ] as const;

  it('takes what the generator has counted, requests without a right answer among them', () => {
    const result = resultOf(parts, 1);
    expect(tallyOf(result, GOAL)).toEqual({ requests: 1000, over: 7 });
    expect(tallyOf({ ...result, counts: { ...result.counts, misses: 2, answered: 998 } }, GOAL)).toEqual({ requests: 1000, over: 9 });
    expect(tallyOf(resultOf([[1000, 1000]], 1), GOAL)).toEqual({ requests: 1000, over: 1000 });
  });

  it('does not guess what was not counted', () => {
    expect(() => tallyOf({ ...resultOf(parts, 1), goal_ms: null }, GOAL)).toThrow('were not counted');
    expect(() => tallyOf(resultOf(parts, 1, null, 5), GOAL)).toThrow('answers after 20 ms were not counted in this run');
  });
});

describe('isWithin', () => {
  it('is not said of no requests', () => {
    expect(isWithin({ requests: 0, over: 0 }, 99)).toBe(false);
    expect(isWithin({ requests: 100, over: 1 }, 99)).toBe(true);
    expect(isWithin({ requests: 100, over: 2 }, 99)).toBe(false);
  });
});

describe('verdictOf', () => {
  it('is open between what is surely right and what is surely wrong', () => {
    const verdicts = [6, 7, 25, 26].map((over) => verdictOf({ requests: 1500, over }, 99, 1));
    expect(verdicts).toEqual(['meets', 'open', 'open', 'misses']);
  });

  it('asks for as many more requests as misses are clustered', () => {
    const verdicts = [60, 70, 250, 260].map((over) => verdictOf({ requests: 15_000, over }, 99, 10));
    expect(verdicts).toEqual(['meets', 'open', 'open', 'misses']);
    expect(verdictOf({ requests: 4000, over: 0 }, 99, 10)).toBe('open');
  });

  it.each([1, 3, 10, 30])(
    'hardly ever says of a queue that it meets the goal where just one in a hundred misses it, after %d s',
    (seconds) => {
      const goal = { percentile: 99, latencyMs: 12 };
      const load = { rate: 401.5, inFlight: null, arrivals: 'poisson', seconds, rowsPerRequest: 1, goalMs: 12 };
      const verdicts = Array.from({ length: 100 }, (_, i) => {
        const trial = new SimulatedQueue({ runMs: 1.7, goal }).measure({ ...load, seed: 17 * (i + 1) });
        return verdictOf(tallyOf(trial.result, goal), 99, dispersionAmong([trial], goal)(401.5));
      });
      expect(verdicts.filter((verdict) => verdict === 'meets').length).toBeLessThanOrEqual(3);
      expect(verdicts.filter((verdict) => verdict === 'misses').length).toBeLessThanOrEqual(5);
    },
  );
});

describe('rateBounds', () => {
  it('lies between the highest rate that meets the goal and the lowest that misses it', () => {
    const trials = [trial(100, 2000, 0), trial(200, 2000, 2), trial(300, 2000, 20), trial(400, 2000, 200), trial(500, 2000, 900)];
    expect(rateBounds(trials, GOAL)).toEqual({ low: 200, high: 400 });
    expect(rateBounds([], GOAL)).toEqual({ low: 0, high: null });
  });

  it('takes runs at several rates together where each alone has too few requests', () => {
    expect(rateBounds([trial(100, 300, 0)], GOAL)).toEqual({ low: 0, high: null });
    expect(rateBounds([trial(100, 300, 0), trial(110, 300, 0)], GOAL)).toEqual({ low: 100, high: null });
  });

  it('reads runs that contradict each other as one', () => {
    expect(rateBounds([trial(100, 2000, 60), trial(200, 20_000, 5)], GOAL)).toEqual({ low: 200, high: null });
    expect(rateBounds([trial(100, 2000, 60), trial(200, 2000, 5)], GOAL)).toEqual({ low: 0, high: 100 });
    expect(rateBounds([trial(100, 2000, 60), trial(100, 20_000, 5)], GOAL)).toEqual({ low: 100, high: null });
  });

  it('takes from a late generator that a rate meets the goal, and nothing else', () => {
    expect(rateBounds([trial(100, 2000, 0, true), trial(200, 2000, 900, true)], GOAL)).toEqual({ low: 100, high: null });
    expect(rateBounds([trial(100, 2000, 0, true), trial(100, 2000, 900, false)], GOAL)).toEqual({ low: 0, high: 100 });
    // One lucky run among those that were no good does not count more than they do.
    expect(rateBounds([trial(100, 2000, 0, true), trial(100, 2000, 900, true)], GOAL)).toEqual({ low: 0, high: null });
  });

  it('counts what a pause of the machine spoils as fewer requests where fewer come in that time', () => {
    // A pause takes a 24th of a second's requests whole.
    const paused = (rate: number, seconds: number, pauses: number): Trial => {
      const parts = Array.from({ length: PARTS }, (_, i) => [(rate * seconds) / PARTS, i < pauses ? rate / PARTS : 0] as const);
      return { ...trial(rate, 0, 0), result: resultOf(parts, 1) };
    };
    const far = [paused(24_000, 4, 1), paused(24_000, 4, 0), paused(24_000, 4, 2)];
    const [high, low] = [24_000, 2400].map(dispersionAmong(far, GOAL));
    expect(high).toBeGreaterThan(200);
    expect(low).toBeCloseTo((high ?? 0) / 10, 6);
    expect(rateBounds([paused(2400, 60, 0), ...far], GOAL).low).toBe(2400);
  });
});

describe('withTrials', () => {
  it('is what all trials of a server show, those after its search too', () => {
    const found = { value: 250, low: 0, high: 260 };
    expect(withTrials(found, [trial(250, 300, 4)], GOAL)).toEqual(found);
    expect(withTrials(found, [trial(250, 300, 4), trial(100, 2000, 0)], GOAL)).toEqual({ value: 250, low: 100, high: 260 });
    expect(withTrials(found, [trial(300, 2000, 0)], GOAL)).toEqual({ value: 300, low: 300, high: 300 });
    expect(withTrials({ ...found, low: 200 }, [trial(200, 2000, 0), trial(200, 2000, 900)], GOAL)).toEqual(found);
  });
});
