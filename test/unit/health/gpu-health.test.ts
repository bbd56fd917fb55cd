import { beforeEach, describe, expect, it } from 'vitest';
import type { NativeGpuState } from '../../../src/bridge/addon.js';
import { GpuHealth, RECOVERY_MS, type GpuVerdict } from '../../../src/health/gpu-health.js';
import { GPU, gpuWithoutNvml, healthyGpu, healthyProbe } from '../../support/gpu-states.js';

const TURN_MS = 200;
const STALE_MS = 10_000;
type Change = Partial<NativeGpuState>;

let health: GpuHealth;
let nowMs: number;
beforeEach(() => {
  health = new GpuHealth(GPU, STALE_MS);
  nowMs = 1_000_000;
});

/** One turn later. */
function turn(change: Change = {}, afterMs = TURN_MS): GpuVerdict {
  nowMs += afterMs;
  return health.update({ ...healthyGpu, ...change }, nowMs);
}

const xid = (number: number, xidCount = 1): Change => ({ recentXids: [number], xidCount, lastBatchAgeMs: 5000 });
const fatal = (fatalCause: string, fatalText: string): Change => ({ fatalCause, fatalText });

describe('a healthy GPU', () => {
  it('is live and ready, and tells its numbers', () => {
    expect(turn()).toEqual({
      uuid: GPU,
      cause: '',
      text: '',
      live: true,
      ready: true,
      end: undefined,
      suspect: '',
      findings: [],
      detail:
        'memory 3.1 of 80.0 GiB, 54 C, last batch 0.2 s ago, memory probe 12 runs 0 mismatches 30.0 s ago, ' +
        'canary 12 runs 0 mismatches 30.0 s ago, ECC 0 uncorrected 3 corrected',
    });
  });

  it('stays so without NVML, and tells what is known', () => {
    const unused = { ...healthyProbe, runs: 0, ageMs: -1 };
    expect(turn({ ...gpuWithoutNvml, probe: unused, canary: unused, lastBatchAgeMs: -1 })).toMatchObject({
      cause: 'nvml-unavailable',
      ready: true,
      detail: 'no batch yet, libnvidia-ml.so.1: cannot open shared object file',
    });
  });
});

/** One or more cases for each row of the failure table (reliability.md 3) that a running GPU can meet. */
describe('the failure table', () => {
  it.each<[failure: string, change: Change, cause: string, end: GpuVerdict['end'], text: string]>([
    ['a sticky error', fatal('sticky-error', 'cuStreamSynchronize: X (700)'), 'sticky-error', 'gpu-fault', 'cuStreamSynchronize: X (700)'],
    ['a fatal cause without a row', fatal('new-cause', 'cuNew: X (1000)'), 'sticky-error', 'gpu-fault', 'cuNew: X (1000)'],
    ['a contained memory error', fatal('contained-memory-error', 'X (226)'), 'contained-memory-error', 'gpu-fault', 'X (226)'],
    ['an uncorrectable memory error', fatal('gpu-hw', 'X (214)'), 'gpu-hw', 'gpu-fault', 'X (214)'],
    ['XID 48', xid(48), 'gpu-hw', 'gpu-fault', 'XID 48: uncorrectable memory error'],
    ['XID 64', xid(64), 'gpu-hw', 'gpu-fault', 'XID 64: a memory row could not be remapped'],
    ['XID 95', xid(95), 'gpu-hw', 'gpu-fault', 'XID 95: an uncontained memory error'],
    ['XID 140', xid(140), 'gpu-hw', 'gpu-fault', 'XID 140: an unrecovered memory error'],
    ['a lost device', fatal('device-lost', 'X (999)'), 'device-lost', 'gpu-lost', 'X (999)'],
    ['a device that NVML calls lost', { lost: true }, 'device-lost', 'gpu-lost', 'NVML: the GPU is lost'],
    ['a UUID that is not there any more', { gone: true }, 'uuid-gone', 'gpu-lost', 'NVML knows no GPU of that UUID any more'],
    ['XID 79', xid(79), 'device-lost', 'gpu-lost', 'XID 79: the GPU has fallen off the bus'],
    [
      'wrong bytes in three memory probes',
      { probe: { ...healthyProbe, mismatches: 3, consecutiveMismatches: 3, text: 'word 17' } },
      'sdc',
      'gpu-corrupt',
      'the memory probe got 3 wrong results in a row: word 17',
    ],
    [
      'three wrong canaries',
      { canary: { ...healthyProbe, mismatches: 3, consecutiveMismatches: 3 } },
      'sdc',
      'gpu-corrupt',
      'the canary got 3 wrong results in a row',
    ],
  ])('%s ends the process', (_, change, cause, end, text) => {
    expect(turn(change)).toMatchObject({ live: false, ready: false, cause, end, text });
  });

  it.each<[failure: string, change: Change, cause: string, text: string]>([
    ['a hung kernel', { hungMs: 7200 }, 'hang', 'a batch has been running for 7.2 s, longer than the watchdog allows'],
    [
      'a batch that hangs while NVML is silent',
      { hungMs: 7200, nvmlAgeMs: 11_000 },
      'driver-hang',
      'a batch has been running for 7.2 s, longer than the watchdog allows, and NVML has not answered for 11.0 s',
    ],
    ['XID 119', xid(119), 'driver-hang', "XID 119: the GPU's system processor does not answer"],
    ['XID 120', xid(120), 'driver-hang', "XID 120: the GPU's system processor failed"],
    ...[46, 62, 109, 143, 158].map((number): [string, Change, string, string] => [
      `XID ${number}`,
      xid(number),
      'driver-hang',
      expect.stringContaining(`XID ${number}: `) as string,
    ]),
    ['XID 94', xid(94), 'contained-memory-error', 'XID 94: a contained memory error'],
    ['devices taken away', { revoked: true }, 'device-revoked', 'the container has lost access to its devices; it must be deleted'],
    [
      'a memory probe that cannot run',
      { probe: { ...healthyProbe, consecutiveFailures: 3, text: 'busy' } },
      'probe-failed',
      'the memory probe could not run 3 times in a row: busy',
    ],
    [
      'a canary that cannot run',
      { canary: { ...healthyProbe, consecutiveFailures: 4 } },
      'probe-failed',
      'the canary could not run 4 times in a row',
    ],
  ])('%s makes it unready, and no more', (_, change, cause, text) => {
    expect(turn(change)).toMatchObject({ live: true, ready: false, end: undefined, cause, text });
  });

  it.each<[failure: string, change: Change, cause: string, text: string]>([
    ['throttling', { throttled: true, throttleReasons: 0x60 }, 'throttled', 'slowed down by temperature or power (reasons 0x60)'],
    ['a pending row remap', { remapPending: true }, 'row-remap-pending', 'memory rows are remapped at the next reset of the GPU'],
    ['XID 63', xid(63), 'row-remap-pending', 'memory rows are remapped at the next reset of the GPU'],
    ['a failed row remap', { remapFailed: true }, 'row-remap-failed', 'a memory row could not be remapped; the GPU should be replaced'],
    ['XID 92', xid(92), 'single-bit-errors', 'XID 92: many single-bit memory errors'],
    ['a recovery action', { recoveryAction: 2 }, 'recovery-wanted', 'the driver asks for a reboot of the node'],
    ['a failed allocation', { outOfMemoryCount: 2 }, 'oom', 'out of memory, 2 times since the start'],
    ...[8, 13, 31, 43, 45, 68, 74, 154, 171, 172, 999].map((number): [string, Change, string, string] => [
      `XID ${number}`,
      xid(number),
      'xid',
      expect.stringContaining(`XID ${number}: `) as string,
    ]),
    ['NVML that has fallen silent', { nvmlAgeMs: 12_000 }, 'nvml-unavailable', 'NVML has not answered for 12.0 s'],
  ])('%s is noted, and it stays ready', (_, change, cause, text) => {
    const verdict = turn(change);
    expect(verdict).toMatchObject({ live: true, ready: true, end: undefined, cause, text });
    expect(verdict.detail).toContain(verdict.text);
  });

  it('one or two wrong or missing probes are no failure yet', () => {
    expect(turn({ probe: { ...healthyProbe, mismatches: 2, consecutiveMismatches: 2 } }).cause).toBe('');
    expect(turn({ canary: { ...healthyProbe, consecutiveFailures: 2 } }).cause).toBe('');
  });
});

describe('several signals of one failure', () => {
  it('a device off the bus is not taken for the sticky error that it causes', () => {
    expect(turn(fatal('sticky-error', 'X (719)')).cause).toBe('sticky-error');
    expect(turn({ ...fatal('sticky-error', 'X (719)'), lost: true })).toMatchObject({ cause: 'device-lost', end: 'gpu-lost' });
  });

  it('a contained error that comes as XID 48 and 94 is not taken for broken hardware', () => {
    expect(turn(xid(48)).cause).toBe('gpu-hw');
    expect(turn(xid(94, 2))).toMatchObject({ cause: 'contained-memory-error', end: undefined });
    expect(turn({ ...xid(94, 2), ...fatal('contained-memory-error', 'X (226)') })).toMatchObject({
      cause: 'contained-memory-error',
      end: 'gpu-fault',
    });
  });

  it('follow-up events do not hide what they follow', () => {
    turn(xid(119));
    expect(turn(xid(45, 2))).toMatchObject({ cause: 'driver-hang', findings: [{ cause: 'driver-hang' }, { cause: 'xid' }] });
  });

  it('no event of a burst is missed, and none is counted again', () => {
    turn({ recentXids: [119], xidCount: 1 });
    expect(turn({ recentXids: [119, 79, 45], xidCount: 3 })).toMatchObject({ cause: 'device-lost', end: 'gpu-lost' });
    const many = Array.from({ length: 16 }, () => 45);
    expect(turn({ recentXids: [...many.slice(1), 48], xidCount: 30 }).findings.map(({ cause }) => cause)).toContain('gpu-hw');
  });

  it('a contained error is one also when its two events come at once', () => {
    expect(turn({ recentXids: [48, 94], xidCount: 2, lastBatchAgeMs: 5000 })).toMatchObject({
      cause: 'contained-memory-error',
      end: undefined,
    });
  });

  it('the same event again counts again', () => {
    turn(xid(13));
    expect(turn({ xidCount: 1, recentXids: [13] }, 60_000 + RECOVERY_MS).cause).toBe('');
    expect(turn({ xidCount: 2, recentXids: [13, 13] }).cause).toBe('xid');
  });
});

describe('a model is suspected', () => {
  const suspectModel = 'digits version 2';

  it.each<[failure: string, change: Change]>([
    ['a hung batch', { hungMs: 6000 }],
    ['a context that a batch broke', fatal('sticky-error', 'X (700)')],
  ])('of %s', (_, change) => {
    expect(turn({ ...change, suspectModel }).suspect).toBe(suspectModel);
  });

  it.each<[failure: string, change: Change]>([
    ['a driver that hangs', { hungMs: 6000, nvmlAgeMs: 11_000 }],
    ['a memory error', fatal('contained-memory-error', 'X (226)')],
    ['broken hardware', fatal('gpu-hw', 'X (214)')],
    ['a lost device', { ...fatal('sticky-error', 'X (719)'), lost: true }],
  ])('never of %s', (_, change) => {
    expect(turn({ ...change, suspectModel }).suspect).toBe('');
  });

  it('not any more once its batch has ended, however long the GPU waits to be ready again', () => {
    turn({ hungMs: 6000, suspectModel });
    expect(turn({}, 1)).toMatchObject({ ready: false, cause: 'hang', suspect: '' });
  });
});

describe('recovery', () => {
  it('comes only when the failure has been gone for a while without a break', () => {
    expect(turn({ hungMs: 6000 }).ready).toBe(false);
    expect(turn({}, RECOVERY_MS - 1)).toMatchObject({ ready: false, cause: 'hang' });
    expect(turn({}, 0).text).toMatch(/ \(gone for 10\.0 s; ready after 10\.0 s\)$/);
    expect(turn({ hungMs: 6000 }, 0).ready).toBe(false);
    expect(turn({}, RECOVERY_MS - 1).ready).toBe(false);
    expect(turn({}, 1)).toMatchObject({ ready: true, cause: '' });
  });

  it('after an XID of the driver waits for something that ran since', () => {
    turn(xid(119));
    const idle = { xidCount: 1, recentXids: [119], lastBatchAgeMs: 60_000 };
    const old = { ...healthyProbe, ageMs: 300_000 };
    expect(turn({ ...idle, probe: old, canary: old }, 60_000).ready).toBe(false);
    expect(turn({ ...idle, probe: { ...healthyProbe, ageMs: 100, consecutiveFailures: 1 }, canary: old }).ready).toBe(false);
    expect(turn({ ...idle, probe: { ...healthyProbe, ageMs: 100 }, canary: old }).ready).toBe(false);
    expect(turn({ ...idle, probe: old, canary: old }, RECOVERY_MS).ready).toBe(true);
  });

  it('after an XID of the driver comes by itself where nothing probes the GPU', () => {
    const unprobed = { xidCount: 1, recentXids: [119], lastBatchAgeMs: -1, probe: { ...healthyProbe, runs: 0, ageMs: -1 } };
    const without = { ...unprobed, canary: unprobed.probe };
    expect(turn(without).ready).toBe(false);
    expect(turn(without, 60_000).ready).toBe(false);
    expect(turn(without, RECOVERY_MS + 1).ready).toBe(true);
  });

  it('throttling for a few seconds never flips readiness', () => {
    for (let count = 0; count < 20; count++) expect(turn({ throttled: count % 2 === 0 }).ready).toBe(true);
  });

  it('events are told for a minute, longer than a scrape takes to come', () => {
    turn({ outOfMemoryCount: 1 });
    expect(turn({ outOfMemoryCount: 1 }, 59_000).cause).toBe('oom');
    expect(turn({ outOfMemoryCount: 1 }, RECOVERY_MS).cause).toBe('');
  });
});

describe('out of memory', () => {
  const failing = (consecutiveFailures: number, outOfMemoryCount: number): Change => ({
    outOfMemoryCount,
    canary: { ...healthyProbe, consecutiveFailures, text: 'no memory' },
  });

  it('makes it unready only when the canary, the smallest batch, cannot run three times in a row', () => {
    expect(turn(failing(0, 5)).ready).toBe(true);
    expect(turn(failing(1, 6)).ready).toBe(true);
    expect(turn(failing(2, 7)).ready).toBe(true);
    expect(turn(failing(3, 8))).toMatchObject({ ready: false, cause: 'oom', text: 'the canary could not run 3 times in a row: no memory' });
  });

  it('is not blamed for a canary that fails for another reason', () => {
    turn(failing(0, 5));
    expect(turn(failing(3, 5)).cause).toBe('probe-failed');
  });
});
