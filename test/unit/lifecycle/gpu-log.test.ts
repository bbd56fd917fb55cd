import { describe, expect, it } from 'vitest';
import type { NativeGpuReport } from '../../../src/bridge/control.js';
import { logGpus } from '../../../src/lifecycle/gpu-log.js';

function linesOf(report: Partial<NativeGpuReport>, isOff = false): string[] {
  const lines: string[] = [];
  const log = {
    info: (_: object, text: string): void => void lines.push(`info: ${text}`),
    warn: (_: object, text: string): void => void lines.push(`warn: ${text}`),
  };
  logGpus(log, { driverVersion: '', gpus: [], cause: '', reason: '', notes: [], ...report }, isOff);
  return lines;
}

describe('the start of the log', () => {
  it('lists the GPUs, and those that are left out', () => {
    const gpu = { uuid: 'GPU-1', name: 'NVIDIA X', index: 0, totalBytes: 1, computeCapability: '9.0', mig: false };
    expect(linesOf({ driverVersion: '13.0', gpus: [gpu], notes: ['GPU-2 is left out: too old'] })).toEqual([
      'warn: GPU-2 is left out: too old',
      'info: models run on GPUs: 0 NVIDIA X (GPU-1)',
    ]);
  });

  it('takes a machine without GPUs as a matter of course', () => {
    expect(linesOf({ cause: 'no-device', reason: 'no libcuda' })).toEqual(['info: models run on the CPU: no libcuda']);
    expect(linesOf({ cause: 'no-device', reason: 'x' }, true)).toEqual(['info: models run on the CPU: --gpu=off']);
  });

  it.each(['driver-mismatch', 'fabric-not-ready', 'device-revoked', 'cuda-error'])('warns of a driver that does not work: %s', (cause) => {
    expect(linesOf({ cause, reason: 'cuInit: X (1)' })).toEqual(['warn: models run on the CPU: cuInit: X (1)']);
  });
});
