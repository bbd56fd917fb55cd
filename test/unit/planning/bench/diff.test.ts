import { describe, expect, it } from 'vitest';
import { diffFigures, diffTable, type FigureChange } from '../../../../src/planning/bench/diff.js';
import { figuresOf, type Figures } from '../../../../src/planning/bench/figures.js';
import { loadResult, withMisses } from './records.js';
import { seededNormal } from './seeded-normal.js';

/** What --help promises five of each for. */
const ROUND_NOISE = 0.025;
const ROUNDS = 5;
const TRIALS = 2000;

const runs = (...latencies: number[]): Figures[] => latencies.map((latency) => figuresOf(loadResult(latency)));
const of = (changes: readonly FigureChange[], name: string): FigureChange | undefined => changes.find(({ figure }) => figure === name);

/** Every figure with noise of its own from run to run. */
function noisyRuns(normal: () => number, slower: number): Figures[] {
  const noisy = (value: number) => {
    const found = value * Math.exp(ROUND_NOISE * normal());
    return { value: found, low: found, high: found };
  };
  return Array.from({ length: ROUNDS }, () => ({
    p50: noisy(slower),
    p90: noisy(2 * slower),
    p99: noisy(4 * slower),
    rate_answered: noisy(1000),
    misses: { value: Math.max(0, 0.01 + 0.001 * normal()), low: 0, high: 1 },
  }));
}

/** Share of trials in which diff would end with exit code 1, or would say "worse" of p50. */
function alarms(slower: number, tolerance: number, isAlarm: (changes: readonly FigureChange[]) => boolean): number {
  const normal = seededNormal(7);
  let found = 0;
  for (let trial = 0; trial < TRIALS; trial++) {
    if (isAlarm(diffFigures(noisyRuns(normal, 1), noisyRuns(normal, slower), tolerance))) found++;
  }
  return found / TRIALS;
}

const isAnyWorse = (changes: readonly FigureChange[]): boolean => changes.some(({ isBeyondTolerance }) => isBeyondTolerance);

describe('diff of runs', () => {
  it('calls noise a regression in 5 % of the cases at most, over all figures together and without any tolerance', () => {
    expect(alarms(1, 0, isAnyWorse)).toBeLessThan(0.05);
  });

  it('finds a true regression of 10 % in more than 90 % of the cases', () => {
    expect(alarms(1.1, 0.05, (changes) => of(changes, 'p50')?.isBeyondTolerance ?? false)).toBeGreaterThan(0.9);
  });

  it('tells better, worse and no difference', () => {
    expect(diffFigures(runs(10, 10.1, 9.9), runs(8, 8.1, 7.9), 0.05).map(({ verdict }) => verdict)).toEqual([
      'better',
      'better',
      'better',
      'no difference shown',
      'no difference shown',
    ]);
    expect(of(diffFigures(runs(10, 10.1, 9.9), runs(12, 12.1, 11.9), 0.05), 'p99')).toMatchObject({
      verdict: 'worse',
      isBeyondTolerance: true,
    });
    expect(of(diffFigures(runs(10, 12, 8), runs(11, 13, 9), 0.05), 'p50')?.verdict).toBe('no difference shown');
  });

  it('lets a figure be worse within the tolerance', () => {
    const changes = diffFigures(runs(10, 10.01, 9.99), runs(10.3, 10.31, 10.29), 0.05);
    expect(of(changes, 'p50')).toMatchObject({ verdict: 'worse', isBeyondTolerance: false });
    expect(of(diffFigures(runs(10, 10.01, 9.99), runs(10.3, 10.31, 10.29), 0.02), 'p50')?.isBeyondTolerance).toBe(true);
  });

  it('shows a tolerance as it was given', () => {
    const [before, after] = [runs(10, 10.01, 9.99), runs(10.3, 10.31, 10.29)];
    const table = diffTable({ kind: 'bench', subject: 'digits', before, after, warnings: [] }, diffFigures(before, after, 0.07), 0.07);
    expect(table).toMatch(/worse, but not by more than 7 %$/m);
  });

  it('uses the intervals of the runs where there is one of each', () => {
    expect(of(diffFigures(runs(10), runs(10.2), 0), 'p50')?.verdict).toBe('no difference shown');
    expect(of(diffFigures(runs(10), runs(11), 0), 'p50')?.verdict).toBe('worse');
  });

  it('has no tolerance for misses', () => {
    const [before, after] = [[figuresOf(withMisses(10, 1))], [figuresOf(withMisses(10, 40))]];
    expect(of(diffFigures(before, after, 0.5), 'misses')).toMatchObject({ verdict: 'worse', isBeyondTolerance: true });
    expect(of(diffFigures(before, [figuresOf(withMisses(10, 3))], 0.5), 'misses')?.verdict).toBe('no difference shown');
    expect(of(diffFigures(after, before, 0.5), 'misses')?.verdict).toBe('better');
  });

  it('takes fewer right answers as worse', () => {
    const slower = [figuresOf(loadResult(10, { rate_answered: 800 }))];
    expect(of(diffFigures(runs(10), slower, 0.05), 'rate_answered')).toMatchObject({ verdict: 'worse', isBeyondTolerance: true });
  });

  it('takes answers that miss the goal as misses', () => {
    const { counts, ...rest } = loadResult(10);
    const late = figuresOf({ ...rest, goal_ms: 20, goodput: 900, counts: { ...counts, late_answers: 1000 } });
    expect(late).toMatchObject({ rate_answered: { value: 900 }, misses: { value: 0.1 } });
  });

  it('says when a percentile cannot be told', () => {
    const { latency_ms: latency, ...rest } = loadResult(10);
    const few = figuresOf({ ...rest, latency_ms: { ...latency, p99: { value: 40, low: 30, high: null } } });
    expect(of(diffFigures(runs(10), [few], 0.05), 'p99')).toEqual({
      figure: 'p99',
      change: null,
      verdict: 'cannot be told',
      isBeyondTolerance: false,
    });
  });
});
