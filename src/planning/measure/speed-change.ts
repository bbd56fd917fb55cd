/** How much a machine changed its speed while something was measured on it. */
import { runKind } from '../server-settings.js';
import type { Trial } from './trial.js';

export interface SpeedChange {
  readonly rows: number;
  /** Mean run times of the fastest trial and the slowest. */
  readonly fastestMs: number;
  readonly slowestMs: number;
}

/**
 * From trials of one model with one request in flight: nothing of ours makes their runs longer, so what differs between two of the same rows
 * and kind of run is the machine. With a delay, lanes sleep between runs, which has a cost of its own: these are left out. The largest change;
 * null where nothing was measured twice.
 */
export function speedChange(trials: readonly Trial[]): SpeedChange | null {
  const byKind = new Map<string, { rows: number; times: number[] }>();
  for (const { settings, load, batches } of trials) {
    const [only, ...more] = batches.filter(({ runs }) => runs > 0);
    if (load.inFlight !== 1 || (settings.maxQueueDelayUs ?? 0) > 0 || only === undefined || more.length > 0) continue;
    const kind = `${only.rows} rows, ${runKind(settings)}`;
    const { times } = byKind.get(kind) ?? { times: [] };
    byKind.set(kind, { rows: only.rows, times: [...times, only.meanMs] });
  }
  const changes = [...byKind.values()]
    .filter(({ times }) => times.length > 1)
    .map(({ rows, times }) => ({ rows, fastestMs: Math.min(...times), slowestMs: Math.max(...times) }))
    .sort((a, b) => relativeChange(b) - relativeChange(a));
  return changes[0] ?? null;
}

/** slowest / fastest - 1. */
export function relativeChange({ fastestMs, slowestMs }: SpeedChange): number {
  return slowestMs / fastestMs - 1;
}
