/**
 * The health snapshot: written by the main thread a few times a second, read by every front end.
 * A snapshot that is not renewed means that the main thread hangs, so an old one answers "not live".
 */
import { addon } from './addon.js';

export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Why it is not ok; empty when it is. */
  readonly reason: string;
  /** Numbers behind the answer, whether it is ok or not. */
  readonly detail?: string;
}

export interface HealthSnapshot {
  /** The process makes progress. */
  readonly live: boolean;
  /** Every ready check is ok. */
  readonly ready: boolean;
  /** Loading is over. */
  readonly started: boolean;
  /** SIGTERM was received; new work is still served for the drain delay. */
  readonly exiting: boolean;
  readonly checks: {
    readonly live: readonly HealthCheck[];
    readonly ready: readonly HealthCheck[];
    readonly started: readonly HealthCheck[];
  };
}

/** Older than this means not live (design: health). */
export const HEALTH_MAX_AGE_MS = 2000;

export function publishHealth(snapshot: HealthSnapshot): void {
  addon.publishHealth(JSON.stringify(snapshot));
}

let cachedJson = '';
let cached: HealthSnapshot | undefined;

/** The current snapshot as front ends must report it. */
export function currentHealth(): HealthSnapshot {
  const { json, ageMs } = addon.health();
  if (json === '' || ageMs > HEALTH_MAX_AGE_MS) {
    const reason = json === '' ? 'no health snapshot has been published yet' : `the health snapshot is ${Math.round(ageMs)} ms old`;
    const stale = [{ name: 'main-thread-progress', ok: false, reason }];
    return { live: false, ready: false, started: false, exiting: false, checks: { live: stale, ready: stale, started: stale } };
  }
  if (json !== cachedJson || cached === undefined) {
    cached = JSON.parse(json) as HealthSnapshot;
    cachedJson = json;
  }
  return cached;
}
