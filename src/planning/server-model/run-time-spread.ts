/**
 * How far single runs lie from their mean. The server's statistics give only means, so that it is taken from clients that have one request in
 * flight: what is longer than their median, as a share of the median. Whether it arose in the run or around it cannot be told; the share is
 * applied to runs of every size. What is rarer than one in a thousand is left out.
 */
import type { Quantiles } from '../load/load-generator.js';
import { weightedMedian } from './run-time-curve.js';

/** Points from 0 to 1 with both ends. */
const POINTS = 101;
const ANCHORS = [
  ['p90', 0.9],
  ['p95', 0.95],
  ['p99', 0.99],
  ['p999', 1],
] as const;

/** Factors of the mean at equidistant shares, never falling, 1 in the mean. `lessMs`: of the latency, what is a wait by intent. */
export function runTimeSpread(trials: readonly { readonly latency: Quantiles; readonly lessMs: number }[]): number[] {
  let highest = 1;
  const anchors: [number, number][] = [
    [0, 1],
    [0.5, 1],
  ];
  for (const [name, share] of ANCHORS) {
    const ratios = trials.flatMap(({ latency, lessMs }) => {
      const [value, median] = [latency[name].value, latency.p50.value];
      return value === null || median === null || median <= lessMs ? [] : [{ value: (value - lessMs) / (median - lessMs), weight: 1 }];
    });
    if (ratios.length > 0) highest = Math.max(highest, weightedMedian(ratios));
    anchors.push([share, highest]);
  }
  const factors = Array.from({ length: POINTS }, (_, i) => between(anchors, i / (POINTS - 1)));
  // Of a draw that is uniform and interpolated: the ends count half.
  const mean = factors.reduce((sum, factor, i) => sum + factor / (i === 0 || i === POINTS - 1 ? 2 : 1), 0) / (POINTS - 1);
  return factors.map((factor) => factor / mean);
}

function between(anchors: readonly (readonly [number, number])[], share: number): number {
  const after = Math.max(
    1,
    anchors.findIndex(([at]) => at >= share),
  );
  const [left, right] = [anchors[after - 1], anchors[after]];
  if (left === undefined || right === undefined) return 1;
  return left[1] + ((right[1] - left[1]) * (share - left[0])) / (right[0] - left[0]);
}
