/**
 * How two sets of runs differ, with an interval. On the scale "quotient" values are compared by their logarithms and a change of 1 is none;
 * on the scale "difference" (shares, which may be zero) as they are, and 0 is none.
 */
import type { Estimate } from '../estimate.js';
import { twoSidedNormal, twoSidedT } from './student-t.js';

export type Scale = 'quotient' | 'difference';

/** With fewer runs their scatter says too little of itself. */
export const LEAST_RUNS = 3;
/** That of the intervals which runs bring along. */
const RECORDED_CONFIDENCE = 0.95;

/** Of runs that belong together two by two, which removes what they share: the Student interval of the mean. Null = fewer than `LEAST_RUNS`. */
export function pairedChange(
  before: readonly number[],
  after: readonly number[],
  scale: Scale,
  confidence = RECORDED_CONFIDENCE,
): Estimate | null {
  const changes = after.map((value, i) => onScale(value, scale) - onScale(before[i] ?? NaN, scale));
  if (changes.length < LEAST_RUNS || !changes.every(Number.isFinite)) return null;
  const half = twoSidedT(confidence, changes.length - 1) * Math.sqrt(varianceOf(changes) / changes.length);
  return offScale(meanOf(changes), half, half, scale);
}

/**
 * Of runs with nothing in common: Welch's interval from their scatter when both sides have `LEAST_RUNS`, else from the runs' own intervals.
 * The latter know the noise within a run only. Null = it cannot be told, as one value is null or zero on the scale of quotients.
 */
export function change(
  before: readonly (Estimate | null)[],
  after: readonly (Estimate | null)[],
  scale: Scale,
  confidence: number,
): Estimate | null {
  const sides = [before, after].map((runs) => runs.filter((run) => run !== null && Number.isFinite(onScale(run.value, scale))));
  const [old = [], young = []] = sides as Estimate[][];
  if (old.length < before.length || young.length < after.length || old.length === 0 || young.length === 0) return null;
  return isFromRuns(old, young) ? welch(old, young, scale, confidence) : fromIntervals(old, young, scale, confidence);
}

export function isFromRuns(before: readonly unknown[], after: readonly unknown[]): boolean {
  return Math.min(before.length, after.length) >= LEAST_RUNS;
}

function welch(before: readonly Estimate[], after: readonly Estimate[], scale: Scale, confidence: number): Estimate {
  const [old, young] = [before, after].map((runs) => {
    const values = runs.map(({ value }) => onScale(value, scale));
    return { mean: meanOf(values), variance: varianceOf(values) / values.length, freedom: values.length - 1 };
  }) as [WelchSide, WelchSide];
  const variance = old.variance + young.variance;
  if (variance === 0) return offScale(young.mean - old.mean, 0, 0, scale);
  const freedom = variance ** 2 / (old.variance ** 2 / old.freedom + young.variance ** 2 / young.freedom);
  const half = twoSidedT(confidence, freedom) * Math.sqrt(variance);
  return offScale(young.mean - old.mean, half, half, scale);
}

interface WelchSide {
  readonly mean: number;
  readonly variance: number;
  readonly freedom: number;
}

/**
 * The interval of a difference from one interval of each side, which need not lie evenly about its value: Zou and Donner, "Construction of
 * confidence limits about effect measures", Statistics in Medicine 27 (2008). Other confidences as if the noise were normal.
 */
function fromIntervals(before: readonly Estimate[], after: readonly Estimate[], scale: Scale, confidence: number): Estimate {
  const [old, young] = [before, after].map((runs) => {
    const on = runs.map(({ value, low, high }) => ({ value: onScale(value, scale), low: onScale(low, scale), high: onScale(high, scale) }));
    return {
      mean: meanOf(on.map(({ value }) => value)),
      below: Math.hypot(...on.map(({ value, low }) => value - low)) / on.length,
      above: Math.hypot(...on.map(({ value, high }) => high - value)) / on.length,
    };
  }) as [Side, Side];
  const wider = confidence === RECORDED_CONFIDENCE ? 1 : twoSidedNormal(confidence) / twoSidedNormal(RECORDED_CONFIDENCE);
  return offScale(young.mean - old.mean, wider * Math.hypot(young.below, old.above), wider * Math.hypot(young.above, old.below), scale);
}

interface Side {
  readonly mean: number;
  readonly below: number;
  readonly above: number;
}

/** The quotient or difference of two figures of which each has its interval. Null = it cannot be told. */
export function changeOfOne(before: Estimate | null, after: Estimate | null, scale: Scale): Estimate | null {
  return change([before], [after], scale, RECORDED_CONFIDENCE);
}

function onScale(value: number, scale: Scale): number {
  return scale === 'quotient' ? Math.log(value) : value;
}

function offScale(mean: number, below: number, above: number, scale: Scale): Estimate {
  const [value, low, high] = [mean, mean - below, mean + above].map((at) => (scale === 'quotient' ? Math.exp(at) : at)) as [
    number,
    number,
    number,
  ];
  return { value, low, high };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function varianceOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}
