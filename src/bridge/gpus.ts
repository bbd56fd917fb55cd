/** The GPUs of the process as they are now; bridge/control.ts says which were found at start. Main thread. */
import { addon, type NativeGpuState } from './addon.js';
import { callNative } from './native-errors.js';

/** One for each GPU of the report, in the same order. Cheap: the driver is not called. Throws before `startEngine`. */
export function gpuStates(): readonly NativeGpuState[] {
  return callNative(() => addon.gpuStates());
}

export type { NativeGpuReport, NativeGpuState, NativeProbeState } from './addon.js';
