import { expect, test } from 'vitest';
import { relativeChange, speedChange } from '../../../../src/planning/measure/speed-change.js';
import type { Trial } from '../../../../src/planning/measure/trial.js';
import { trialOf } from '../server-model/known-server.js';

const lone = (ms: number, rows = 1, settings: Partial<Trial['settings']> = {}): Trial => {
  const trial = trialOf({ inFlight: 1, runs: [{ rows, runs: 100, ms }] });
  return { ...trial, settings: { ...trial.settings, ...settings } };
};

test('finds the rows whose runs differ most between two trials', () => {
  const change = speedChange([lone(1), lone(4, 8), lone(1.1), lone(6, 8), lone(5, 8)]);
  expect(change).toEqual({ rows: 8, fastestMs: 4, slowestMs: 6 });
  expect(change === null ? null : relativeChange(change)).toBeCloseTo(0.5);
});

test('compares only runs of the same rows, threads and precision', () => {
  expect(speedChange([lone(1), lone(4, 8), lone(2, 1, { cpuThreads: 2 }), lone(3, 1, { precision: 'fp32' })])).toBeNull();
});

test('leaves out what has reasons of its own to be slow: other loads, and lanes that wait', () => {
  const loaded = trialOf({ inFlight: 16, runs: [{ rows: 1, runs: 100, ms: 3 }] });
  expect(speedChange([lone(1), loaded, lone(2, 1, { maxQueueDelayUs: 2000 })])).toBeNull();
});
