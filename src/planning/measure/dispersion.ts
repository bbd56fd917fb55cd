/** How much more the misses of trials vary than independent ones would: those of a queue come in clusters. */
import { allowedShare } from './early-stopping.js';
import type { Trial } from './trial.js';

/**
 * What is assumed until trials say otherwise, with the weight of so many misses: few of them, in one cluster or two, do not show how large
 * clusters are. M/D/1 whose p99 is seven runs has 11 at its highest rate (test/unit/planning/measure/simulated-queue.ts).
 */
const ASSUMED = { dispersion: 10, misses: 10 } as const;
/** Shares of misses from which something is learned, as multiples of what is allowed: a queue far beyond its limit has larger clusters. */
const NEAR = { least: 1 / 8, most: 4 } as const;
/** Neighbouring parts of the time are also taken together, as clusters may be longer than one. */
const TOGETHER = [1, 2, 4] as const;
const LEAST_PARTS = 6;

/** By requests per second. */
export type Dispersion = (rate: number) => number;

type Parts = readonly (readonly [requests: number, over: number])[];

/**
 * The variance of the misses of a part of the time as a multiple of the binomial one, at least 1, over all `trials` of an open loop whose
 * share of misses is near the one allowed. A number of requests divided by it is that of independent ones which say as much (the design
 * effect: J. N. K. Rao and A. J. Scott, "A Simple Method for the Analysis of Clustered Binary Data", Biometrics 48, 1992; the parts are batch
 * means). What makes a cluster, such as a pause of the machine, takes a time and not a number of requests: at half the rate half as many
 * requests fall into it, so the dispersion goes with the rate.
 */
export function dispersionOf(trials: readonly Pick<Trial, 'load' | 'result'>[], percentile: number): Dispersion {
  const allowed = allowedShare(percentile);
  const near = trials
    .map(({ load, result }) => ({ rate: load.rate ?? 0, parts: (result.goal_blocks ?? []).filter(([requests]) => requests > 0) }))
    .filter(({ rate, parts }) => {
      const share = shareOf(parts);
      return rate > 0 && share >= allowed * NEAR.least && share <= allowed * NEAR.most;
    });
  if (near.length === 0) return () => ASSUMED.dispersion;
  const usual = near.reduce((sum, { rate }) => sum + rate, 0) / near.length;
  const pooled = TOGETHER.map((size) => {
    let [seen, binomial] = [ASSUMED.dispersion * ASSUMED.misses, ASSUMED.misses];
    for (const { rate, parts } of near) {
      const larger = together(parts, size);
      if (larger.length < LEAST_PARTS) continue;
      const share = shareOf(larger);
      const squares = larger.reduce((sum, [requests, over]) => sum + (over - requests * share) ** 2, 0);
      seen += ((squares * larger.length) / (larger.length - 1)) * (usual / rate);
      binomial += larger.reduce((sum, [requests]) => sum + requests, 0) * share * (1 - share);
    }
    return seen / binomial;
  });
  const atUsual = Math.max(...pooled);
  return (rate) => Math.max(1, (atUsual * rate) / usual);
}

function together(parts: Parts, size: number): Parts {
  if (size === 1) return parts;
  return Array.from({ length: Math.ceil(parts.length / size) }, (_, i) => sumOf(parts, i * size, (i + 1) * size));
}

/** Of those from `from` up to, and without, `to`. A search adds up all its trials after each of them. */
function sumOf(parts: Parts, from = 0, to = parts.length): readonly [requests: number, over: number] {
  let [requests, over] = [0, 0];
  for (let i = from; i < Math.min(to, parts.length); i++) {
    const part = parts[i];
    requests += part?.[0] ?? 0;
    over += part?.[1] ?? 0;
  }
  return [requests, over];
}

function shareOf(parts: Parts): number {
  const [requests, over] = sumOf(parts);
  return requests === 0 ? 0 : over / requests;
}
