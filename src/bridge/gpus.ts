/** The GPUs of the process, as found at start and as they are now. Main thread. */
import { addon, type NativeGpuReport, type NativeGpuState } from './addon.js';
import { callNative } from './native-errors.js';

/** What `startEngine` has found. Throws before it. */
export function gpuReport(): NativeGpuReport {
  return callNative(() => addon.gpus());
}

/** One for each GPU of the report, in the same order. Cheap: the driver is not called. Throws before `startEngine`. */
export function gpuStates(): readonly NativeGpuState[] {
  return callNative(() => addon.gpuStates());
}

/** UUIDs of the GPUs that a ready version runs on. */
export function gpusInUse(): ReadonlySet<string> {
  return callNative(() => new Set(addon.statistics('', '').flatMap(({ gpus }) => gpus)));
}

export type { NativeGpuReport, NativeGpuState, NativeProbeState } from './addon.js';
