/**
 * When refused clients are told to come back: what the engine advises, spread out, so that they do not come back as the crowd that they
 * were. The rule is that of the simulated policies: max(1 s, advice) x U(1, 1.5), at most 30 s. Whatever the advice, those 30 s are
 * the far end of the spread: a lasting overload would tell everybody exactly that otherwise.
 */
const MIN_MS = 1000;
const MAX_MS = 30_000;
const SPREAD = 0.5;
/** Below it whole seconds would round the spread away. */
const SHORT_MS = 2000;

/** Milliseconds. `random` gives 0 to 1. */
export function retryDelayMs(adviceMs: number, random: () => number = Math.random): number {
  return Math.min(MAX_MS / (1 + SPREAD), Math.max(MIN_MS, adviceMs)) * (1 + SPREAD * random());
}

/** The value of a `Retry-After` header. */
export function retryAfterSeconds(adviceMs: number, random: () => number = Math.random): number {
  const blurMs = adviceMs < SHORT_MS ? 1000 * random() : 0;
  return Math.min(MAX_MS / 1000, Math.ceil((retryDelayMs(adviceMs, random) + blurMs) / 1000));
}
