/** What the main thread asks of the engine, with native failures as `ServerError`. */
import {
  addon,
  type NativeCatalogModel,
  type NativeCreatedVersion,
  type NativeEngineOptions,
  type NativeGpuReport,
  type NativeSession,
  type NativeSessionOptions,
} from './addon.js';
import { awaitNative, callNative } from './native-errors.js';
import type { NativeVersionSpec } from './version-spec.js';

/** Loads ONNX Runtime and creates the engine of the process. Throws ERR_ORT_LIBRARY; ERR_INTERNAL when it is running already. */
export function startEngine(options: NativeEngineOptions): void {
  callNative(() => addon.startEngine(options));
}

/** Such as "1.29.0"; empty before `startEngine`. */
export function ortVersion(): string {
  return callNative(() => addon.ortVersion());
}

/** Blocks until every run has ended. May be repeated. False when a model is still being loaded: leave by `exitNow` then. */
export function stopEngine(): boolean {
  return callNative(() => addon.stopEngine());
}

/** Leaves the process at once: nothing is destroyed, no exit handler runs. */
export function exitNow(code: number): never {
  return addon.exitNow(code);
}

/** The GPUs that `startEngine` or `findGpus` has found, or why there is none. */
export function gpus(): NativeGpuReport {
  return callNative(() => addon.gpus());
}

/** Looks once more where none was found. Before any model is loaded that would run on one; not twice at a time. */
export function findGpus(): Promise<NativeGpuReport> {
  return awaitNative(() => addon.findGpus());
}

/** Rejects with ERR_MODEL_LOAD or ERR_MEMORY; on GPUs also with ERR_CUDA_PROVIDER, ERR_GPU_OOM, ERR_GPU_FAULT or ERR_GPU_LOST. */
export function openSession(options: NativeSessionOptions): Promise<NativeSession> {
  return awaitNative(() => addon.openSession(options));
}

/** Warms a version up and starts its lanes. Rejects with ERR_MODEL_CONFIG when the specification does not fit the session. */
export function createVersion(session: NativeSession, spec: NativeVersionSpec): Promise<NativeCreatedVersion> {
  return awaitNative(() => addon.createVersion(session, spec));
}

/** Swaps the catalog. Versions that are not in it any more retire once their requests have ended. */
export function publishCatalog(models: readonly NativeCatalogModel[]): void {
  callNative(() => addon.publishCatalog(models));
}

export type {
  NativeCatalogModel,
  NativeCatalogVersion,
  NativeCreatedVersion,
  NativeEngineOptions,
  NativeGpu,
  NativeGpuOptions,
  NativeGpuReport,
  NativeSession,
  NativeSessionOptions,
  NativeSignature,
  NativeTensorSpec,
  NativeVersion,
} from './addon.js';
export type {
  NativeApiInput,
  NativeApiTensor,
  NativeBatching,
  NativeInputConversion,
  NativeQueuePolicy,
  NativeCutOutput,
  NativePaddedInput,
  NativeVersionSpec,
} from './version-spec.js';
