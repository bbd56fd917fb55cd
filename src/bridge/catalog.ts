/** What front ends may ask about models: ready documents and counters out of the published catalog. */
import { addon, type NativeStatistics } from './addon.js';
import { callNative } from './native-errors.js';

/** Metadata of a model (V2 JSON). Empty version = default. Throws ERR_MODEL_UNKNOWN, ERR_MODEL_NOT_READY, ERR_REQUEST_FIELD. */
export function modelMetadata(model: string, version: string): string {
  return callNative(() => addon.describe('metadata', model, version));
}

/** Model configuration as JSON with proto field names. Throws as `modelMetadata`. */
export function modelConfig(model: string, version: string): string {
  return callNative(() => addon.describe('config', model, version));
}

/** Counters of ready versions; empty model = all models. Throws as `modelMetadata`. */
export function modelStatistics(model: string, version: string): readonly NativeStatistics[] {
  return callNative(() => addon.statistics(model, version));
}

export type { NativeStatistics } from './addon.js';
