/** When requests are meant to be sent: arrival patterns as lists of seconds from the start. */
import { exponential, gamma, randomNumbers } from './random.mjs';

/** Gaps between bursts are 16 times as variable as those of a Poisson process: coefficient of variation 4. */
const GAMMA_SHAPE = 1 / 16;

/** Double rate, then silence, each for an exponential time of this mean. */
const PHASE_SECONDS = 0.4;

function poisson(random, rate) {
  let time = 0;
  return () => (time += exponential(random) / rate);
}

/** Bursts are Poisson processes on a clock that stands still while the source is silent. */
function onOff(random, rate) {
  const busyTime = poisson(random, 2 * rate);
  let silence = 0;
  let phaseEnd = exponential(random) * PHASE_SECONDS;
  return () => {
    const busy = busyTime();
    while (busy > phaseEnd) {
      silence += exponential(random) * PHASE_SECONDS;
      phaseEnd += exponential(random) * PHASE_SECONDS;
    }
    return busy + silence;
  };
}

const PATTERNS = {
  constant: (_, rate) => {
    let time = 0;
    return () => (time += 1 / rate);
  },
  poisson,
  'gamma cv 4': (random, rate) => {
    let time = 0;
    return () => (time += gamma(random, GAMMA_SHAPE) / GAMMA_SHAPE / rate);
  },
  'on/off bursts': onOff,
};

export const PATTERN_NAMES = Object.keys(PATTERNS);

/**
 * Rising seconds in [0, `seconds`]. Stretched so that exactly `rate` x `seconds` requests come: in a window of seconds a bursty pattern
 * would miss the rate it stands for by far.
 */
export function arrivals(pattern, rate, seconds, seed) {
  const next = PATTERNS[pattern](randomNumbers(seed), rate);
  const count = Math.max(1, Math.round(rate * seconds));
  const times = Float64Array.from({ length: count }, next);
  const stretch = seconds / times[count - 1];
  return times.map((time) => time * stretch);
}
