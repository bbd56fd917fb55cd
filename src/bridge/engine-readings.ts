/** What the metrics read from the engine at each scrape. Main thread. */
import { addon, type NativeConnectionCount, type NativeGauges, type NativeStatistics } from './addon.js';
import { callNative } from './native-errors.js';

export interface EngineReadings {
  /** One for each ready version. */
  readonly statistics: readonly NativeStatistics[];
  readonly gauges: NativeGauges;
  /** One for each front-end thread and port. */
  readonly connections: readonly NativeConnectionCount[];
}

export function engineReadings(): EngineReadings {
  return callNative(() => ({ statistics: addon.statistics('', ''), gauges: addon.gauges(), connections: addon.connectionCounts() }));
}

/** Accepted requests that have no outcome yet. */
export function inFlightRequests(): number {
  return callNative(() => addon.gauges().inFlightRequests);
}

/** Upper bounds of every latency histogram in `engineReadings`. */
export function latencyBoundsSeconds(): readonly number[] {
  return callNative(() => addon.latencyBoundsSeconds());
}

export type { NativeDuration, NativeGauges, NativeHistogram, NativeLatencies, NativeMemoryUse, NativeStatistics } from './addon.js';
