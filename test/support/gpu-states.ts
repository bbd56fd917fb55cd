/** GPUs as the addon describes them, for tests that need no addon. */
import type { NativeGpuReport, NativeGpuState, NativeProbeState } from '../../src/bridge/addon.js';

export const GPU = 'GPU-1234';

export const healthyProbe: NativeProbeState = {
  runs: 12,
  mismatches: 0,
  consecutiveMismatches: 0,
  consecutiveFailures: 0,
  text: '',
  ageMs: 30_000,
};

export const healthyGpu: NativeGpuState = {
  uuid: GPU,
  fatalCause: '',
  fatalText: '',
  outOfMemoryCount: 0,
  lastBatchAgeMs: 200,
  hungMs: 0,
  suspectModel: '',
  probe: healthyProbe,
  canary: healthyProbe,
  nvmlUnavailable: '',
  nvmlAgeMs: 1000,
  utilization: 0.5,
  memoryUsedBytes: 3.1 * 2 ** 30,
  memoryTotalBytes: 80 * 2 ** 30,
  powerWatts: 300,
  powerLimitWatts: 700,
  energyJoules: 5000,
  temperatureCelsius: 54,
  throttleReasons: 0,
  throttled: false,
  eccUncorrected: 0,
  eccCorrected: 3,
  remapPending: false,
  remapFailed: false,
  pcieRxBytesPerSecond: 1000,
  pcieTxBytesPerSecond: 2000,
  lastXid: 0,
  recentXids: [],
  xidCount: 0,
  recoveryAction: 0,
  lost: false,
  revoked: false,
  gone: false,
};

/** What is left of it where NVML gives nothing. */
export const gpuWithoutNvml: NativeGpuState = {
  ...healthyGpu,
  nvmlUnavailable: 'libnvidia-ml.so.1: cannot open shared object file',
  nvmlAgeMs: -1,
  utilization: -1,
  memoryUsedBytes: -1,
  memoryTotalBytes: -1,
  powerWatts: -1,
  powerLimitWatts: -1,
  energyJoules: -1,
  temperatureCelsius: -1,
  throttleReasons: -1,
  eccUncorrected: -1,
  eccCorrected: -1,
  pcieRxBytesPerSecond: -1,
  pcieTxBytesPerSecond: -1,
  recoveryAction: -1,
};

export function reportOf(...uuids: readonly string[]): NativeGpuReport {
  const gpus = uuids.map((uuid, index) => ({ uuid, name: 'Fake', index, totalBytes: 80 * 2 ** 30, computeCapability: '9.0', mig: false }));
  return { driverVersion: '13.0', gpus, cause: '', reason: '', notes: [] };
}
