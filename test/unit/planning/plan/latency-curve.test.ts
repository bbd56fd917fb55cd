import { describe, expect, it } from 'vitest';
import type { LoadResult } from '../../../../src/planning/load/load-generator.js';
import type { Trial } from '../../../../src/planning/measure/trial.js';
import { kneeOf, latencyCurve, trialAt } from '../../../../src/planning/plan/latency-curve.js';
import type { ServerSettings } from '../../../../src/planning/server-settings.js';

const SETTINGS: ServerSettings = { maxBatchSize: 8, lanes: 1, maxQueueDelayUs: null, cpuThreads: 1 };

interface Measured {
  readonly rate?: number | null;
  readonly answered?: number;
  readonly seconds?: number;
  readonly p99?: number | null;
  readonly refused?: string | null;
  readonly settings?: ServerSettings;
}

function trial({ rate = 100, answered, seconds = 1, p99 = 1, refused = null, settings = SETTINGS }: Measured): Trial {
  const quantile = { value: p99, low: p99, high: p99 };
  const result = {
    refused,
    rate_answered: answered ?? rate ?? 0,
    counts: { misses: 3 },
    latency_ms: { p50: quantile, p90: quantile, p99: quantile },
  } as unknown as LoadResult;
  const load = { rate, inFlight: rate === null ? 1 : null, arrivals: 'poisson', seconds, rowsPerRequest: 1, seed: 1, goalMs: null };
  return { settings, gpus: 0, load, result, batches: [], laneCpuMs: 0, frontEndCpuMs: 0 };
}

describe('latency over rate', () => {
  it('has the open runs of the settings by rising rate, of near rates one in which the generator was in time, and the longest', () => {
    const trials = [
      trial({ rate: 300, p99: 9 }),
      trial({ rate: 100, p99: 1 }),
      trial({ rate: 301, p99: 7, seconds: 5 }),
      trial({ rate: 302, p99: 99, seconds: 8, refused: 'late' }),
      trial({ rate: 400, p99: 30, refused: 'late' }),
      trial({ rate: null }),
      trial({ rate: 250, settings: { ...SETTINGS, lanes: 2 } }),
    ];
    expect(latencyCurve(trials, SETTINGS)).toEqual([
      { rateWanted: 100, rateAnswered: 100, p50Ms: 1, p90Ms: 1, p99Ms: 1, misses: 3 },
      { rateWanted: 301, rateAnswered: 301, p50Ms: 7, p90Ms: 7, p99Ms: 7, misses: 3 },
      { rateWanted: 400, rateAnswered: 400, p50Ms: 30, p90Ms: 30, p99Ms: 30, misses: 3 },
    ]);
  });

  it('finds the run at a rate, or the next one below', () => {
    const trials = [trial({ rate: 100 }), trial({ rate: 200 }), trial({ rate: 202, seconds: 9 }), trial({ rate: 400 })];
    const rateAt = (rate: number): number | null | undefined => trialAt(trials, SETTINGS, rate)?.load.rate;
    expect(rateAt(200)).toBe(202);
    expect(rateAt(390)).toBe(202);
    expect(rateAt(50)).toBe(100);
    expect(trialAt([], SETTINGS, 1)).toBeUndefined();
  });

  it('has its knee where it begins to rise steeply', () => {
    const knee = (...p99s: readonly (number | null)[]): number | null =>
      kneeOf(
        latencyCurve(
          p99s.map((p99, i) => trial({ rate: 100 * (i + 1), p99 })),
          SETTINGS,
        ),
      );
    expect(knee(1, 1.1, 1.2, 1.5, 20)).toBe(400);
    expect(knee(1, 1.1, 1.2, 1.5, 20, null)).toBe(400);
    expect(knee(1, 1.1, 1.2, 1.3)).toBeNull();
    expect(knee(1)).toBeNull();
    expect(knee()).toBeNull();
  });

  it('has its knee on the axis of the curve: the rate that was asked for', () => {
    const trials = [100, 200, 300, 400].map((rate, i) => trial({ rate, answered: 0.98 * rate, p99: [1, 1.1, 1.2, 30][i] ?? null }));
    expect(kneeOf(latencyCurve(trials, SETTINGS))).toBe(300);
  });
});
