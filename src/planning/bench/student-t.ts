/** Quantiles of Student's t distribution. */

const TERMS = 200;
const SMALL = 1e-300;

/** The value that |t| stays below with probability `confidence`. `freedom`: degrees of freedom, above 0, fractions included. */
export function twoSidedT(confidence: number, freedom: number): number {
  let low = 0;
  let high = 1;
  while (withinT(high, freedom) < confidence) high *= 2;
  for (;;) {
    const middle = (low + high) / 2;
    // No number is between them.
    if (middle <= low || middle >= high) return high;
    if (withinT(middle, freedom) < confidence) low = middle;
    else high = middle;
  }
}

/** As `twoSidedT` without end of the degrees of freedom. */
export function twoSidedNormal(confidence: number): number {
  return twoSidedT(confidence, 1e7);
}

/** P(|T| < t): 1 - I_x(freedom / 2, 1 / 2) with x = freedom / (freedom + t^2) (DLMF 8.17). */
function withinT(t: number, freedom: number): number {
  return 1 - regularizedBeta(freedom / (freedom + t * t), (t * t) / (freedom + t * t), freedom / 2, 0.5);
}

/** I_x(a, b); `y` is 1 - x, given because it may be too small to be left over from 1. */
function regularizedBeta(x: number, y: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  // The fraction converges fast on this side of the mean only.
  if (x > (a + 1) / (a + b + 2)) return 1 - regularizedBeta(y, x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(y));
  return (front / a) * betaFraction(x, a, b);
}

/** The continued fraction of DLMF 8.17.22 by Lentz's method. */
function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-14) break;
  }
  return value;
}

function nonZero(value: number): number {
  return Math.abs(value) < SMALL ? SMALL : value;
}

/** ln of the gamma function for z > 0: Stirling's series (DLMF 5.11.1) from 10 up, below that by the recurrence. */
function logGamma(z: number): number {
  let shift = 0;
  let at = z;
  for (; at < 10; at++) shift -= Math.log(at);
  const inverse = 1 / at;
  const square = inverse * inverse;
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)));
  return shift + (at - 0.5) * Math.log(at) - at + Math.log(2 * Math.PI) / 2 + series;
}
