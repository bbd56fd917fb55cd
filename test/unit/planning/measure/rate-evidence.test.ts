import { describe, expect, it } from 'vitest';
import { rateBounds, tallyOf, verdictOf } from '../../../../src/planning/measure/rate-evidence.js';
import type { Trial } from '../../../../src/planning/measure/trial.js';
import { GOAL, resultOf, SETTINGS } from './simulated-server.js';

function trial(rate: number, requests: number, over: number, refused = false): Trial {
  const load = { rate, inFlight: null, arrivals: 'poisson', seconds: 1, rowsPerRequest: 1, seed: 1, goalMs: null };
  const result = resultOf(requests, over, 1, refused ? 'late itself' : null);
  return { settings: SETTINGS, load, result, batches: [], laneCpuMs: 0, frontEndCpuMs: 0 };
}

describe('tallyOf', () => {
  it.each([0, 1, 3, 10, 40, 100, 300, 900])('finds the %d of 1000 requests that missed the goal between the quantiles', (over) => {
    expect(tallyOf(resultOf(1000, over, 1), GOAL)).toEqual({ requests: 1000, over });
  });

  it('takes what the generator has counted for this very goal', () => {
    const result = resultOf(1000, 300, 1);
    const counted = { ...result, goal_ms: GOAL.latencyMs, counts: { ...result.counts, late_answers: 7, misses: 2, answered: 998 } };
    expect(tallyOf(counted, GOAL)).toEqual({ requests: 1000, over: 9 });
    expect(tallyOf({ ...counted, goal_ms: 5 }, GOAL)).toEqual({ requests: 1000, over: 300 });
  });

  it('counts requests without a right answer', () => {
    const all = resultOf(1000, 1000, 1);
    expect(tallyOf(all, GOAL)).toEqual({ requests: 1000, over: 1000 });
    const some = resultOf(1000, 0, 1);
    expect(tallyOf({ ...some, counts: { ...some.counts, answered: 980, misses: 20 } }, GOAL)).toEqual({ requests: 1000, over: 20 });
  });

  it('says nothing of no requests', () => {
    expect(tallyOf(resultOf(0, 0, 1), GOAL)).toEqual({ requests: 0, over: 0 });
  });
});

describe('verdictOf', () => {
  it('is open between what is surely right and what is surely wrong', () => {
    const verdicts = [6, 7, 25, 26].map((over) => verdictOf({ requests: 1500, over }, 99));
    expect(verdicts).toEqual(['meets', 'open', 'open', 'misses']);
  });
});

describe('rateBounds', () => {
  it('lies between the highest rate that meets the goal and the lowest that misses it', () => {
    const trials = [trial(100, 2000, 0), trial(200, 2000, 2), trial(300, 2000, 20), trial(400, 2000, 200), trial(500, 2000, 900)];
    expect(rateBounds(trials, GOAL)).toEqual({ low: 200, high: 400 });
    expect(rateBounds([], GOAL)).toEqual({ low: 0, high: null });
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
});
