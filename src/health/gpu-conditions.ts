/**
 * The failures of a GPU, told apart: one row for each, from what is observed to its cause and effect. Pure.
 * The failures that a start can meet (no device, a driver that does not fit, a fabric that is not up) come with `NativeGpuReport.cause`.
 */
import type { NativeGpuState, NativeProbeState } from '../bridge/gpus.js';
import { meaningOfXid, type XidClass } from './xids.js';

export type GpuCause =
  | 'device-lost'
  | 'uuid-gone'
  | 'gpu-hw'
  | 'contained-memory-error'
  | 'sticky-error'
  | 'sdc'
  | 'driver-hang'
  | 'hang'
  | 'device-revoked'
  | 'oom'
  | 'probe-failed'
  | 'throttled'
  | 'row-remap-failed'
  | 'row-remap-pending'
  | 'single-bit-errors'
  | 'recovery-wanted'
  | 'xid'
  | 'nvml-unavailable';

/** How the process must end, because nothing else helps: lifecycle/exit-codes.ts has the numbers. */
export type GpuEnd = 'gpu-fault' | 'gpu-lost' | 'gpu-corrupt';

/** `unready` passes when the failure does; `note` changes no answer; everything else ends the process. */
export type GpuEffect = GpuEnd | 'unready' | 'note';

/** What is known of one GPU at one time, with what earlier turns saw. Milliseconds are those of one monotonic clock. */
export interface Observation {
  readonly nowMs: number;
  readonly state: NativeGpuState;
  /** When each XID number was last seen. */
  readonly xids: ReadonlyMap<number, number>;
  /** When a batch, canary or probe last succeeded; -Infinity = none yet. */
  readonly lastGoodMs: number;
  /** When an allocation last failed; -Infinity = none yet. */
  readonly lastOutOfMemoryMs: number;
  /** Allocations have failed since the canary last ran well. */
  readonly canaryLacksMemory: boolean;
  /** A reading of NVML that is older means that NVML does not answer. */
  readonly nvmlStaleMs: number;
}

export interface Condition {
  readonly cause: GpuCause;
  readonly effect: GpuEffect;
  /** In words, with numbers; undefined = it does not hold. */
  readonly find: (of: Observation) => string | undefined;
}

/** One wrong answer may be a fluke of the probe itself; three in a row are the GPU. The same for a probe that cannot run. */
const PROBES_IN_A_ROW = 3;

/** An event is told for so long: longer than the usual time between two scrapes. */
const EVENT_HOLD_MS = 60_000;

/** Values of `fatalCause` that have a row of their own, and none. */
const OTHER_FATAL_CAUSES: ReadonlySet<string> = new Set(['', 'device-lost', 'gpu-hw', 'contained-memory-error']);

/** What NVML's recovery action asks for (nvml.h: nvmlDeviceGpuRecoveryAction_t). */
const RECOVERY_ACTIONS = [
  'nothing',
  'a reset of the GPU',
  'a reboot of the node',
  'an end of the traffic between GPUs',
  'that the GPU is drained and reset',
];

/**
 * Worst first: where several hold, the first names the cause. A device that is gone fails calls with sticky codes too, and memory that broke
 * is why a context did, so hardware stands above the code of the call.
 */
export const CONDITIONS: readonly Condition[] = [
  {
    cause: 'device-lost',
    effect: 'gpu-lost',
    find: (of) => fatal(of, 'device-lost') ?? (of.state.lost ? 'NVML: the GPU is lost' : xidText(of, 'lost')),
  },
  {
    cause: 'uuid-gone',
    effect: 'gpu-lost',
    find: ({ state }) => (state.gone ? 'NVML knows no GPU of that UUID any more' : undefined),
  },
  {
    cause: 'gpu-hw',
    effect: 'gpu-fault',
    // The driver reports a contained error twice, as 48 and as 94.
    find: (of) => fatal(of, 'gpu-hw') ?? xidText(of, 'hardware', of.xids.has(94) ? [48] : []),
  },
  { cause: 'contained-memory-error', effect: 'gpu-fault', find: (of) => fatal(of, 'contained-memory-error') },
  {
    cause: 'sticky-error',
    effect: 'gpu-fault',
    // Also what a later release of the engine may call otherwise: the context is gone.
    find: ({ state }) => (OTHER_FATAL_CAUSES.has(state.fatalCause) ? undefined : state.fatalText || state.fatalCause),
  },
  {
    cause: 'sdc',
    effect: 'gpu-corrupt',
    find: ({ state }) => mismatchText('memory probe', state.probe) ?? mismatchText('canary', state.canary),
  },
  {
    cause: 'driver-hang',
    effect: 'unready',
    // Until something ran after the event. A batch that hangs while NVML is silent hangs in the driver, not in a kernel.
    find: (of) =>
      xidText(of, 'driver', [], unansweredSinceMs(of)) ??
      (of.state.hungMs > 0 && nvmlIsSilent(of)
        ? `${hungText(of.state)}, and NVML has not answered for ${seconds(of.state.nvmlAgeMs)}`
        : undefined),
  },
  { cause: 'hang', effect: 'unready', find: ({ state }) => (state.hungMs > 0 ? hungText(state) : undefined) },
  {
    cause: 'device-revoked',
    effect: 'unready',
    find: ({ state }) => (state.revoked ? 'the container has lost access to its devices; it must be deleted' : undefined),
  },
  { cause: 'contained-memory-error', effect: 'unready', find: (of) => xidText(of, 'contained', [], unansweredSinceMs(of)) },
  {
    cause: 'oom',
    effect: 'unready',
    // The canary is the smallest batch there is.
    find: (of) => (of.canaryLacksMemory ? failureText('canary', of.state.canary) : undefined),
  },
  {
    cause: 'probe-failed',
    effect: 'unready',
    find: ({ state, canaryLacksMemory }) =>
      failureText('memory probe', state.probe) ?? (canaryLacksMemory ? undefined : failureText('canary', state.canary)),
  },
  {
    // Readiness stays: the batching engine measures every run, so that it refuses earlier what a slower GPU cannot answer in time.
    cause: 'throttled',
    effect: 'note',
    find: ({ state }) =>
      state.throttled ? `slowed down by temperature or power (reasons 0x${Math.max(0, state.throttleReasons).toString(16)})` : undefined,
  },
  {
    cause: 'row-remap-failed',
    effect: 'note',
    find: ({ state }) => (state.remapFailed ? 'a memory row could not be remapped; the GPU should be replaced' : undefined),
  },
  {
    cause: 'row-remap-pending',
    effect: 'note',
    find: (of) => (of.state.remapPending || isRecent(of, 63) ? 'memory rows are remapped at the next reset of the GPU' : undefined),
  },
  { cause: 'single-bit-errors', effect: 'note', find: (of) => (isRecent(of, 92) ? 'XID 92: many single-bit memory errors' : undefined) },
  {
    cause: 'recovery-wanted',
    effect: 'note',
    find: ({ state: { recoveryAction } }) =>
      recoveryAction > 0 ? `the driver asks for ${RECOVERY_ACTIONS[recoveryAction] ?? `action ${recoveryAction}`}` : undefined,
  },
  {
    cause: 'oom',
    effect: 'note',
    find: (of) =>
      of.nowMs - of.lastOutOfMemoryMs < EVENT_HOLD_MS ? `out of memory, ${of.state.outOfMemoryCount} times since the start` : undefined,
  },
  { cause: 'xid', effect: 'note', find: (of) => xidText(of, 'note', [63, 92], of.nowMs - EVENT_HOLD_MS) },
  {
    cause: 'nvml-unavailable',
    effect: 'note',
    find: (of) => of.state.nvmlUnavailable || (nvmlIsSilent(of) ? `NVML has not answered for ${seconds(of.state.nvmlAgeMs)}` : undefined),
  },
];

/** Such as "0.2 s". */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function fatal({ state }: Observation, cause: GpuCause): string | undefined {
  return state.fatalCause === cause ? state.fatalText || cause : undefined;
}

/** Of the last XID of that class, seen after `sinceMs`. */
function xidText({ xids }: Observation, wanted: XidClass, except: readonly number[] = [], sinceMs = -Infinity): string | undefined {
  const last = [...xids]
    .filter(([xid, atMs]) => meaningOfXid(xid).class === wanted && !except.includes(xid) && atMs >= sinceMs)
    .sort(([, one], [, other]) => other - one)
    .at(0);
  return last && `XID ${last[0]}: ${meaningOfXid(last[0]).words}`;
}

/** The engine probes a GPU after each XID. Where probes are turned off nothing may ever run on a GPU that gets no requests. */
function unansweredSinceMs({ state, nowMs, lastGoodMs }: Observation): number {
  const isProbed = state.probe.ageMs >= 0 || state.probe.consecutiveFailures > 0;
  return isProbed ? lastGoodMs : Math.max(lastGoodMs, nowMs - EVENT_HOLD_MS);
}

function isRecent({ xids, nowMs }: Observation, xid: number): boolean {
  return nowMs - (xids.get(xid) ?? -Infinity) < EVENT_HOLD_MS;
}

function nvmlIsSilent({ state, nvmlStaleMs }: Observation): boolean {
  return state.nvmlUnavailable === '' && state.nvmlAgeMs > nvmlStaleMs;
}

function hungText({ hungMs }: NativeGpuState): string {
  return `a batch has been running for ${seconds(hungMs)}, longer than the watchdog allows`;
}

function mismatchText(name: string, { consecutiveMismatches, text }: NativeProbeState): string | undefined {
  if (consecutiveMismatches < PROBES_IN_A_ROW) return undefined;
  return withText(`the ${name} got ${consecutiveMismatches} wrong results in a row`, text);
}

function failureText(name: string, { consecutiveFailures, text }: NativeProbeState): string | undefined {
  if (consecutiveFailures < PROBES_IN_A_ROW) return undefined;
  return withText(`the ${name} could not run ${consecutiveFailures} times in a row`, text);
}

function withText(words: string, text: string): string {
  return text === '' ? words : `${words}: ${text}`;
}
