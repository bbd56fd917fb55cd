/** Latency over rate, of one server with the chosen settings. */
import type { Trial } from '../measure/trial.js';
import { settingsName, type ServerSettings } from '../server-settings.js';
import type { CurvePoint } from './plan.js';

/** Trials whose rates differ by less are one point: the longest of them. */
const SAME_RATE = 0.02;
/** Latency at the end of the curve, relative to its start, below which it has no knee. */
const LEAST_RISE = 2;

/** By rising rate, of all trials of an open loop with these settings. */
export function latencyCurve(trials: readonly Trial[], settings: ServerSettings): CurvePoint[] {
  return curveTrials(trials, settings).map(({ load, result }) => ({
    rateWanted: load.rate ?? 0,
    rateAnswered: result.rate_answered,
    p50Ms: result.latency_ms.p50.value,
    p90Ms: result.latency_ms.p90.value,
    p99Ms: result.latency_ms.p99.value,
    misses: result.counts.misses,
  }));
}

/** The trials behind the curve. One in which the generator was late itself stands where there is no better one: latency is at most what it says. */
export function curveTrials(trials: readonly Trial[], settings: ServerSettings): readonly Trial[] {
  const chosen: Trial[] = [];
  for (const trial of openTrials(trials, settings)) {
    const at = chosen.findIndex((other) => Math.abs(rateOf(other) - rateOf(trial)) <= SAME_RATE * rateOf(trial));
    if (at === -1) chosen.push(trial);
    else if (isBetter(trial, chosen[at])) chosen[at] = trial;
  }
  return chosen.sort((a, b) => rateOf(a) - rateOf(b));
}

const rateOf = ({ load }: Trial): number => load.rate ?? 0;

function isBetter(one: Trial, other: Trial | undefined): boolean {
  const [isOneUsable, isOtherUsable] = [one.result.refused === null, other?.result.refused === null];
  return isOneUsable === isOtherUsable ? one.load.seconds > (other?.load.seconds ?? 0) : isOneUsable;
}

function openTrials(trials: readonly Trial[], settings: ServerSettings): readonly Trial[] {
  const name = settingsName(settings);
  return trials.filter(({ load, settings: its }) => load.rate !== null && settingsName(its) === name);
}

/** The longest trial nearest to the rate from below, or the one nearest to it where there is none below. */
export function trialAt(trials: readonly Trial[], settings: ServerSettings, rate: number): Trial | undefined {
  const open = [...openTrials(trials, settings)];
  const distance = ({ load }: Trial): number => {
    const below = rate * (1 + SAME_RATE) - (load.rate ?? 0);
    return below >= 0 ? below : 1e9 - below;
  };
  return open.sort((a, b) => distance(a) - distance(b) || b.load.seconds - a.load.seconds)[0];
}

/**
 * Where latency begins to rise steeply: the point farthest below the straight line from the first point to the last one, both axes as shares of
 * their ranges (the idea of "Kneedle": Satopaa and others, 2011). null = latency does not rise that much.
 */
export function kneeOf(curve: readonly CurvePoint[]): number | null {
  const points = curve.flatMap(({ rateWanted: rate, p99Ms }) => (p99Ms === null ? [] : [{ rate, ms: p99Ms }]));
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.rate <= first.rate || last.ms < LEAST_RISE * first.ms) return null;
  const below = points.map(({ rate, ms }) => (rate - first.rate) / (last.rate - first.rate) - (ms - first.ms) / (last.ms - first.ms));
  const farthest = Math.max(...below);
  return farthest > 0 ? (points[below.indexOf(farthest)]?.rate ?? null) : null;
}
