/** GPUs as the engine lists them. */
import type { NativeGpu } from '../../../src/bridge/control.js';
import type { UsableGpus } from '../../../src/models/placement.js';

export function gpu(index: number): NativeGpu {
  return { uuid: `GPU-${index}`, name: 'Fake GPU', index, totalBytes: 2 ** 34, computeCapability: '9.0', mig: false };
}

export function usableGpus(count: number): UsableGpus {
  return { gpus: Array.from({ length: count }, (_, index) => gpu(index)), reason: '' };
}
