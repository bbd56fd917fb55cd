import { describe, expect, it } from 'vitest';
import { uniformNumbers } from '../../../../src/planning/load/sample-tensors.js';
import { fitServer } from '../../../../src/planning/server-model/fit-server.js';
import type { FittedServer } from '../../../../src/planning/server-model/fitted-server.js';
import { timeAt } from '../../../../src/planning/server-model/run-time-curve.js';
import { FIXED_MS, ONE_LANE, PER_REQUEST_MS, trialOf } from './known-server.js';

const CPUS = 4;
const SIZES = [1, 2, 3, 4, 6, 8, 12, 16];
const line = (rows: number): number => 2 + 0.5 * rows;
const lone = trialOf({ inFlight: 1, runs: [{ rows: 1, runs: 4000, ms: line(1) }] });

/** The mean of a run by the fitted curve. */
function meanAt({ runTimes }: FittedServer, rows: number): number {
  const mean = (quantiles: readonly number[]): number =>
    quantiles.reduce((sum, each, i) => sum + each / (i === 0 || i === quantiles.length - 1 ? 2 : 1), 0) / (quantiles.length - 1);
  return timeAt(
    runTimes.map(({ rows: size, quantilesMs }) => ({ rows: size, ms: mean(quantilesMs) })),
    rows,
  );
}

describe('the run times of a fitted server', () => {
  it('are those of the curve that the trials came from, sizes included that were never seen', () => {
    const fitted = fitServer([lone, trialOf({ runs: SIZES.map((rows) => ({ rows, runs: 500, ms: line(rows) })) })], CPUS);
    for (const rows of [1, 2, 5, 7, 10, 16, 24, 64]) expect(meanAt(fitted, rows) / line(rows)).toBeCloseTo(1, 2);
    expect(Math.max(...fitted.residuals.map(({ relative }) => Math.abs(relative)))).toBeLessThan(0.01);
  });

  it('follow steps where sizes were measured often', () => {
    const steps = (rows: number): number => 1 + 2 ** Math.ceil(Math.log2(rows));
    const dense = trialOf({ runs: SIZES.map((rows) => ({ rows, runs: 1000, ms: steps(rows) })) });
    const fitted = fitServer([trialOf({ inFlight: 1, runs: [{ rows: 1, runs: 4000, ms: steps(1) }] }), dense], CPUS);
    for (const rows of SIZES) expect(Math.abs(meanAt(fitted, rows) / steps(rows) - 1)).toBeLessThan(0.02);
  });

  it('come out of noise within two per cent', () => {
    const uniform = uniformNumbers(3);
    const noisy = (rows: number): number => line(rows) * (1 + 0.06 * (uniform() - 0.5));
    const trials = Array.from({ length: 12 }, () => trialOf({ runs: SIZES.map((rows) => ({ rows, runs: 200, ms: noisy(rows) })) }));
    const fitted = fitServer([lone, ...trials], CPUS);
    for (const rows of SIZES) expect(Math.abs(meanAt(fitted, rows) / line(rows) - 1)).toBeLessThan(0.02);
  });

  it('are not bent by one trial that something disturbed', () => {
    const good = Array.from({ length: 4 }, (_, i) =>
      trialOf({ runs: SIZES.map((rows) => ({ rows, runs: 200, ms: line(rows) * (1 + 0.002 * i) })) }),
    );
    const disturbed = trialOf({ runs: SIZES.map((rows) => ({ rows, runs: 200, ms: 3 * line(rows) })) });
    const fitted = fitServer([lone, ...good, disturbed], CPUS);
    for (const rows of SIZES) expect(Math.abs(meanAt(fitted, rows) / line(rows) - 1)).toBeLessThan(0.03);
    expect(fitted.residuals.filter(({ relative }) => relative > 0.6)).toHaveLength(SIZES.length);
  });

  it('never fall with more rows, whatever single runs say', () => {
    const odd = trialOf({ runs: SIZES.map((rows, i) => ({ rows, runs: i % 2 === 0 ? 300 : 1, ms: i % 2 === 0 ? line(rows) : 0.3 })) });
    const { runTimes } = fitServer([lone, odd], CPUS);
    const medians = runTimes.map(({ quantilesMs }) => quantilesMs[50] ?? 0);
    expect(medians).toEqual([...medians].sort((a, b) => a - b));
  });

  it('grow in proportion where only one size was seen', () => {
    const fitted = fitServer([lone], CPUS);
    expect(meanAt(fitted, 8) / meanAt(fitted, 1)).toBeCloseTo(8, 6);
  });

  it('are those of an idle machine: what a busy front end adds is told apart', () => {
    const contention = 0.6;
    const longer = (rate: number): number => 1 + contention * rate * (PER_REQUEST_MS / 1e3);
    const at = (rate: number, sizes: readonly number[]) =>
      trialOf({ rate, runs: sizes.map((rows) => ({ rows, runs: 1000, ms: line(rows) * longer(rate) })) });
    const fitted = fitServer([lone, at(1000, [1, 2, 3, 4]), at(4000, [1, 2, 4, 8]), at(8000, [2, 4, 8, 16])], CPUS);
    expect(Math.abs(fitted.contention / contention - 1)).toBeLessThan(0.1);
    for (const rows of SIZES) expect(Math.abs(meanAt(fitted, rows) / line(rows) - 1)).toBeLessThan(0.02);
  });
});

describe('lanes of a fitted server', () => {
  const trialWith = (lanes: number, factor: number, rate: number) =>
    trialOf({ settings: { ...ONE_LANE, lanes }, rate, runs: [1, 2, 4].map((rows) => ({ rows, runs: 1000, ms: line(rows) * factor })) });

  it('slow each other down by what is left after the share of the time in which they run together', () => {
    // 4 rows at 3.125 rows/ms would fill both lanes for ever: all of the time together.
    const always = fitServer([lone, trialWith(1, 1, 100), trialWith(2, 1.6, 1e6)], CPUS);
    expect(always.laneSlowdown).toHaveLength(2);
    expect(always.laneSlowdown[1]).toBeCloseTo(1.6, 1);
    const seldom = fitServer([lone, trialWith(1, 1, 100), trialWith(2, 1.2, 850)], CPUS);
    expect(seldom.laneSlowdown[1]).toBeGreaterThan(1.25);
  });

  it('that were not measured lie between those that were', () => {
    const { laneSlowdown } = fitServer([lone, trialWith(1, 1, 100), trialWith(4, 2.5, 1e6)], CPUS);
    expect(laneSlowdown).toHaveLength(4);
    expect(laneSlowdown[2]).toBeCloseTo(2, 1);
  });
});

describe('what a request costs besides its run', () => {
  it('is the CPU time of the front end and what is left of a lone latency', () => {
    const { frontEnd } = fitServer([lone, trialOf({ runs: SIZES.map((rows) => ({ rows, runs: 500, ms: line(rows) })) })], CPUS);
    expect(frontEnd.threads).toBe(2);
    expect(frontEnd.perRequestMs).toBeCloseTo(PER_REQUEST_MS, 9);
    expect(frontEnd.fixedMs).toBeCloseTo(FIXED_MS, 2);
  });

  it('is as long as a closed loop shows that leaves its lanes idle', () => {
    const short = [{ rows: 1, runs: 4000, ms: 0.01 }];
    const alone = trialOf({ inFlight: 1, runs: short });
    // 2 threads with 10 000 requests a second between them, and a lane that runs a tenth of the time.
    const idle = fitServer([alone, trialOf({ inFlight: 32, rate: 10_000, runs: short })], CPUS);
    expect(idle.frontEnd.perRequestMs).toBeCloseTo(0.2, 9);
    const busy = fitServer([alone, trialOf({ inFlight: 32, rate: 10_000, runs: [{ rows: 1, runs: 4000, ms: 0.1 }] })], CPUS);
    expect(busy.frontEnd.perRequestMs).toBeCloseTo(PER_REQUEST_MS, 9);
    const few = fitServer([alone, trialOf({ inFlight: 32, rate: 0, answered: 0, runs: short })], CPUS);
    expect(few.frontEnd.perRequestMs).toBeCloseTo(PER_REQUEST_MS, 9);
  });

  it('does not hold the delay that a lone request waits for others', () => {
    const settings = { ...ONE_LANE, maxQueueDelayUs: 2000 };
    const { frontEnd } = fitServer([trialOf({ settings, inFlight: 1, runs: [{ rows: 1, runs: 4000, ms: 5 }] })], CPUS);
    expect(frontEnd.fixedMs).toBeCloseTo(FIXED_MS, 6);
  });

  it('spreads run times as lone latencies spread, around the same mean', () => {
    const spread = { p90: 1.05, p95: 1.1, p99: 1.5, p999: 2 };
    const { runTimes } = fitServer([trialOf({ inFlight: 1, spread, runs: [{ rows: 1, runs: 4000, ms: 10 }] })], CPUS);
    const { quantilesMs = [] } = runTimes[0] ?? {};
    const median = quantilesMs[50] ?? 0;
    expect((quantilesMs[90] ?? 0) / median).toBeCloseTo(1.05, 6);
    expect((quantilesMs[99] ?? 0) / median).toBeCloseTo(1.5, 6);
    expect((quantilesMs[100] ?? 0) / median).toBeCloseTo(2, 6);
    expect(median).toBeLessThan(10);
  });
});

describe('trials that do not suffice', () => {
  it('are refused: too few runs, and no lone request', () => {
    const fit = () => fitServer([trialOf({ runs: [{ rows: 1, runs: 99, ms: 1 }] })], CPUS);
    expect(fit).toThrow(/99 runs were measured in 1 usable trials; at least 100/);
    expect(fit).toThrow(/no trial has one request in flight/);
  });

  it('are those whose generator was late', () => {
    const refused = trialOf({ inFlight: 1, refused: 'late', runs: [{ rows: 1, runs: 4000, ms: 1 }] });
    expect(() => fitServer([refused], CPUS)).toThrow(/0 runs were measured in 0 usable trials/);
  });

  it.each([
    [{ cpuThreads: 2 }, 'the kinds t1, t2 (CPU threads'],
    [{ precision: 'fp32' }, 'the kinds t1, t1-fp32 (CPU threads, precision)'],
  ] as const)('are those with runs of different kinds, which have different curves: %j', (more, kinds) => {
    const other = trialOf({ settings: { ...ONE_LANE, ...more }, runs: [{ rows: 1, runs: 500, ms: 1 }] });
    expect(() => fitServer([lone, other], CPUS)).toThrow(kinds);
  });
});

describe('lanes with work waiting all the time', () => {
  const busy = trialOf({ rate: 100, runs: [1, 2, 4, 16].map((rows) => ({ rows, runs: 1000, ms: line(rows) })) });
  const closed = (share: number, inFlight = 32) =>
    trialOf({ inFlight, rate: (share * 16e3) / line(16), runs: [{ rows: 16, runs: 1000, ms: line(16) }] });

  it('tell what passes between two runs', () => {
    const fitted = fitServer([lone, busy, closed(0.96), closed(0.97), closed(0.98)], CPUS);
    for (const rows of [1, 4, 16]) expect(meanAt(fitted, rows) / line(rows)).toBeCloseTo(1 / 0.97, 2);
    // A lone request takes as long as before: what is more of the run is less of the rest.
    expect(meanAt(fitted, 1) + fitted.frontEnd.perRequestMs + fitted.frontEnd.fixedMs).toBeCloseTo(line(1) + PER_REQUEST_MS + FIXED_MS, 1);
  });

  it('do not tell it where the next batch may have been on its way, or where something else was slow', () => {
    for (const trial of [closed(0.9, 16), closed(0.8)]) {
      expect(meanAt(fitServer([lone, busy, trial], CPUS), 16) / line(16)).toBeCloseTo(1, 2);
    }
  });
});
