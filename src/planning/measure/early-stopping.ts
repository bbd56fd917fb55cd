/**
 * How many requests it takes to say something of a percentile. The rules are those of MLPerf Inference (mlcommons/inference_policies,
 * inference_rules.adoc): a number of samples that each percentile needs, and early stopping, which lets a shorter run count when it does
 * better than the percentile by enough.
 */

/** That a server which does not meet its goal passes all the same has at most this probability. */
const DOUBT = 0.01;
/** Of the normal distribution: within this many deviations lie 99 %. */
const DEVIATIONS = 2.5758293035489004;
/** Sample counts are multiples of it. */
const BLOCK = 8192;

/**
 * Requests after which the percentile itself is known well enough: with 99 % confidence the true share of misses differs from what was
 * seen by at most a twentieth of what the percentile allows.
 */
export function requestsNeeded(percentile: number): number {
  const allowed = allowedShare(percentile);
  const margin = allowed / 20;
  const samples = (DEVIATIONS ** 2 * allowed * (1 - allowed)) / margin ** 2;
  return Math.ceil(samples / BLOCK) * BLOCK;
}

/** Share of the requests that may miss the goal: 0.01 for 99. */
export function allowedShare(percentile: number): number {
  return (100 - percentile) / 100;
}

/**
 * How many of `requests` may miss the goal so that, with 99 % confidence, the true share of misses is at most what the percentile allows.
 * null: so few requests say nothing, even without a miss (p99: fewer than 459).
 */
export function mostOver(requests: number, percentile: number): number | null {
  const count = tail(requests, allowedShare(percentile));
  return count === 0 ? null : count - 1;
}

/** How many requests it takes to say, without a single miss, that the true share is at most what the percentile allows: 459 for p99. */
export function fewestRequests(percentile: number): number {
  return Math.ceil(Math.log(DOUBT) / Math.log1p(-allowedShare(percentile)));
}

/** From how many misses on the true share is above what the percentile allows, with 99 % confidence; null: no number of misses says so. */
export function leastOver(requests: number, percentile: number): number | null {
  const count = tail(requests, 1 - allowedShare(percentile));
  return count === 0 ? null : requests - count + 1;
}

/** The most values from 0 on whose binomial probabilities add up to at most `DOUBT`: 0 = already that of 0 is more. */
function tail(trials: number, share: number): number {
  let sum = 0;
  // Nothing further down than this adds anything that a double could hold beside `DOUBT`.
  const deviation = Math.sqrt(trials * share * (1 - share));
  let value = Math.max(0, Math.floor(trials * share - 12 * deviation - 12));
  let probability = binomial(value, trials, share);
  for (; sum + probability <= DOUBT && value < trials; value++) {
    sum += probability;
    probability *= ((trials - value) / (value + 1)) * (share / (1 - share));
  }
  return value;
}

/**
 * Probability of `k` of `n`. Logarithms of factorials lose all digits for large n, so it is a product of deviances (C. Loader, "Fast and
 * Accurate Computation of Binomial Probabilities", 2000).
 */
function binomial(k: number, n: number, share: number): number {
  if (k === 0) return Math.exp(n * Math.log1p(-share));
  if (k === n) return Math.exp(n * Math.log(share));
  const errors = stirlingError(n) - stirlingError(k) - stirlingError(n - k);
  const exponent = errors - deviance(k, n * share) - deviance(n - k, n * (1 - share));
  return Math.exp(exponent) * Math.sqrt(n / (2 * Math.PI * k * (n - k)));
}

/** Of log n! above Stirling's formula, for n >= 1. */
function stirlingError(n: number): number {
  if (n < 16) {
    let logarithm = 0;
    for (let i = 2; i <= n; i++) logarithm += Math.log(i);
    return logarithm - (n + 0.5) * Math.log(n) + n - 0.5 * Math.log(2 * Math.PI);
  }
  const square = n * n;
  return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / n;
}

/** x log(x / mean) + mean - x, without the difference of nearly equal numbers where x is close to the mean. */
function deviance(x: number, mean: number): number {
  const relative = (x - mean) / mean;
  if (Math.abs(relative) > 0.1) return x * Math.log(x / mean) + mean - x;
  // (1 + r) log(1 + r) - r as its series.
  let term = relative * relative;
  let sum = 0;
  for (let i = 2; i < 30; i++) {
    sum += ((i % 2 === 0 ? 1 : -1) * term) / (i * (i - 1));
    term *= relative;
  }
  return mean * sum;
}
