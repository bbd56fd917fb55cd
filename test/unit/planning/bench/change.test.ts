import { describe, expect, it } from 'vitest';
import { change, pairedChange } from '../../../../src/planning/bench/change.js';
import { twoSidedNormal, twoSidedT } from '../../../../src/planning/bench/student-t.js';
import { seededNormal } from './seeded-normal.js';

const TRIALS = 4000;

describe('quantiles of the t distribution', () => {
  // NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2.
  it.each([
    [0.95, 1, 12.706],
    [0.95, 2, 4.303],
    [0.95, 4, 2.776],
    [0.99, 8, 3.355],
    [0.9, 30, 1.697],
    [0.998, 5, 5.893],
  ])('are those of the tables for %d and %d degrees of freedom', (confidence, freedom, value) => {
    expect(twoSidedT(confidence, freedom)).toBeCloseTo(value, 3);
  });

  it('become those of the normal distribution', () => {
    expect(twoSidedNormal(0.95)).toBeCloseTo(1.95996, 4);
    expect(twoSidedNormal(0.99)).toBeCloseTo(2.57583, 4);
  });

  it('are there between whole degrees of freedom', () => {
    const values = [4, 4.5, 5].map((freedom) => twoSidedT(0.95, freedom));
    expect(values).toEqual([...values].sort((a, b) => b - a));
  });
});

describe('the interval of a quotient over rounds', () => {
  it('holds the true one in 95 % of the cases, whatever the machine does to both servers in a round', () => {
    const normal = seededNormal(1);
    let held = 0;
    for (let trial = 0; trial < TRIALS; trial++) {
      const rounds = Array.from({ length: 5 }, () => Math.exp(0.5 * normal()));
      const before = rounds.map((shared) => 10 * shared * Math.exp(0.03 * normal()));
      const after = rounds.map((shared) => 12 * shared * Math.exp(0.03 * normal()));
      const found = pairedChange(before, after, 'quotient');
      if (found !== null && found.low <= 1.2 && found.high >= 1.2) held++;
    }
    // Three standard errors of the simulation.
    expect(Math.abs(held / TRIALS - 0.95)).toBeLessThan(3 * Math.sqrt((0.95 * 0.05) / TRIALS));
  });

  it('is not claimed for fewer than three rounds', () => {
    expect(pairedChange([1, 1], [2, 2], 'quotient')).toBeNull();
    expect(pairedChange([1, 1, 1], [2, 2, 2], 'quotient')?.value).toBeCloseTo(2);
  });

  it('is not claimed when a server answered nothing in a round', () => {
    expect(pairedChange([1, 0, 1], [2, 2, 2], 'quotient')).toBeNull();
  });

  it('is that of a difference for shares, which may be zero', () => {
    expect(pairedChange([0, 0, 0], [0, 0, 0], 'difference')).toEqual({ value: 0, low: 0, high: 0 });
  });
});

describe('the interval between runs with nothing in common', () => {
  it('comes from the intervals of the runs when these are few, and need not be even', () => {
    const found = change([{ value: 10, low: 10, high: 10 }], [{ value: 20, low: 18, high: 26 }], 'quotient', 0.95);
    expect(found?.value).toBeCloseTo(2);
    expect(found?.low).toBeCloseTo(1.8);
    expect(found?.high).toBeCloseTo(2.6);
  });

  it('adds the noise of both sides', () => {
    const found = change([{ value: 0.2, low: 0.17, high: 0.24 }], [{ value: 0.5, low: 0.46, high: 0.53 }], 'difference', 0.95);
    expect(found?.low).toBeCloseTo(0.3 - Math.hypot(0.04, 0.04));
    expect(found?.high).toBeCloseTo(0.3 + Math.hypot(0.03, 0.03));
  });

  it('is wider for more confidence', () => {
    const [side, other] = [[{ value: 10, low: 9, high: 11 }], [{ value: 10, low: 9, high: 11 }]];
    const widths = [0.95, 0.99].map((confidence) => Math.log(change(side, other, 'quotient', confidence)?.high ?? NaN));
    expect((widths[1] ?? 0) / (widths[0] ?? 0)).toBeCloseTo(2.57583 / 1.95996, 3);
  });

  it('comes from the scatter of the runs where there are three of each, not from what they say of themselves', () => {
    const side = (values: readonly number[]) => values.map((value) => ({ value, low: value / 100, high: value * 100 }));
    const found = change(side([10, 10.1, 9.9]), side([12, 12.1, 11.9]), 'quotient', 0.95);
    expect(found?.low).toBeGreaterThan(1.15);
    expect(found?.high).toBeLessThan(1.25);
  });

  it('cannot be told when one run cannot', () => {
    const run = { value: 10, low: 9, high: 11 };
    expect(change([run, null], [run], 'quotient', 0.95)).toBeNull();
    expect(change([], [run], 'quotient', 0.95)).toBeNull();
    expect(change([{ value: 0, low: 0, high: 1 }], [run], 'quotient', 0.95)).toBeNull();
  });
});
