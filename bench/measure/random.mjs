/** Seeded numbers, so that every run sends the same bytes at the same moments. */

/** Uniform in [0, 1): mulberry32. */
export function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Exponential of mean 1. */
export const exponential = (random) => -Math.log(1 - random());

/** Standard normal (Box and Muller). */
const normal = (random) => Math.sqrt(2 * exponential(random)) * Math.cos(2 * Math.PI * random());

/** Gamma of this shape and scale 1: Marsaglia and Tsang 2000, with their step from shape + 1 down to shapes below 1. */
export function gamma(random, shape) {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
