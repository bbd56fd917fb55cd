/** The figures by which runs are compared, each with the interval that one run gives it. */
import type { Estimate } from '../estimate.js';
import type { LoadResult, Quantile } from '../load/load-generator.js';
import { LEAST_RUNS, type Scale } from './change.js';
import { twoSidedNormal } from './student-t.js';

export const FIGURES = ['p50', 'p90', 'p99', 'rate_answered', 'misses'] as const;
export type FigureName = (typeof FIGURES)[number];
/** Null = the run has too few requests, or too many misses, to tell. */
export type Figures = Readonly<Record<FigureName, Estimate | null>>;

export interface FigureKind {
  readonly label: string;
  readonly scale: Scale;
  readonly isBetterLower: boolean;
}

export const KINDS: Readonly<Record<FigureName, FigureKind>> = {
  p50: { label: 'latency p50', scale: 'quotient', isBetterLower: true },
  p90: { label: 'latency p90', scale: 'quotient', isBetterLower: true },
  p99: { label: 'latency p99', scale: 'quotient', isBetterLower: true },
  rate_answered: { label: 'right answers per second', scale: 'quotient', isBetterLower: false },
  misses: { label: 'share of misses', scale: 'difference', isBetterLower: true },
};

/** Latencies in milliseconds, the rate in right answers per second, misses as a share of the requests. With a goal a late answer is a miss. */
export function figuresOf({ latency_ms: latency, rate_answered: rate, goodput, counts }: LoadResult): Figures {
  const { answered, late_answers: late, misses, requests } = counts;
  return {
    p50: told(latency.p50),
    p90: told(latency.p90),
    p99: told(latency.p99),
    rate_answered: rateOf(goodput ?? rate, answered - late),
    misses: shareOf(misses + late, requests),
  };
}

function told({ value, low, high }: Quantile): Estimate | null {
  return value === null || low === null || high === null ? null : { value, low, high };
}

const Z = twoSidedNormal(0.95);

/** As if answers came as a Poisson process; wider than needed where requests leave at a fixed rate and all are answered. */
function rateOf(rate: number, answered: number): Estimate | null {
  if (answered === 0) return null;
  const factor = Math.exp(Z / Math.sqrt(answered));
  return { value: rate, low: rate / factor, high: rate * factor };
}

/** Wilson's interval, which holds at 0 and at 1 as well. */
function shareOf(part: number, whole: number): Estimate | null {
  if (whole === 0) return null;
  const share = part / whole;
  const square = Z ** 2 / whole;
  const middle = (share + square / 2) / (1 + square);
  const half = (Z * Math.sqrt((share * (1 - share)) / whole + square / whole / 4)) / (1 + square);
  return { value: share, low: Math.min(share, middle - half), high: Math.max(share, middle + half) };
}

/** For a table: "1.034 (1.012 to 1.057)", or why there is no interval. */
export function shownChange(change: Estimate | null, scale: Scale, rounds?: number): string {
  if (change === null)
    return rounds !== undefined && rounds < LEAST_RUNS
      ? `no interval: ${rounds} good ${rounds === 1 ? 'round' : 'rounds'}`
      : 'cannot be told';
  const shown = (value: number): string =>
    scale === 'quotient' ? value.toFixed(3) : `${value >= 0 ? '+' : ''}${(100 * value).toFixed(3)} %`;
  return `${shown(change.value)} (${shown(change.low)} to ${shown(change.high)})`;
}

/** For a table: the mean of a figure over runs with its unit, or "-" when one of them cannot be told. `isRatio`: the figures are changes. */
export function shownMean(runs: readonly Figures[], figure: FigureName, isRatio = false): string {
  const values = runs.flatMap((run) => run[figure]?.value ?? []);
  if (values.length === 0 || values.length < runs.length) return '-';
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (KINDS[figure].scale === 'difference') return `${(100 * mean).toFixed(3)} %`;
  if (isRatio) return `x ${mean.toFixed(3)}`;
  return figure === 'rate_answered' ? mean.toPrecision(5) : `${mean.toPrecision(4)} ms`;
}
