/** When to ask again. */
import { ServerError } from '../errors.js';

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;
/** A server may ask for more patience than we would have by ourselves, but not for any amount. */
const LONGEST_RETRY_AFTER_MS = 300_000;

/**
 * Milliseconds until the next attempt after `failed` of them: doubled each time, and somewhere in the upper half of that, so that pods
 * that failed together do not come back together. `askedMs`: what the server asked for, 0 = nothing. `random` is in [0, 1).
 */
export function backOffMs(failed: number, askedMs: number, random: number): number {
  const delay = Math.min(FIRST_DELAY_MS * 2 ** (failed - 1), LONGEST_DELAY_MS);
  return Math.max(delay * (0.5 + random / 2), Math.min(askedMs, LONGEST_RETRY_AFTER_MS));
}

/** Milliseconds that a header Retry-After asks for (seconds, or a date); 0 when it is missing or says nothing. */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}

export function mayPass(thrown: unknown): thrown is ServerError {
  return thrown instanceof ServerError && thrown.code === 'ERR_PULL_SOURCE';
}
