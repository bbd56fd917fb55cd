/** One GPU over time: what the failure table finds at each turn, held until it has been gone for a while. */
import type { NativeGpuState, NativeProbeState } from '../bridge/gpus.js';
import { CONDITIONS, seconds, type Condition, type GpuCause, type GpuEffect, type GpuEnd, type Observation } from './gpu-conditions.js';

/**
 * A failure that has passed is held for so long, so that a GPU at the edge does not flap: as long as the usual period of a readiness probe
 * (10 s), or the balancer would see only some of the changes.
 */
export const RECOVERY_MS = 10_000;

/** Failures that a model can bring about; the others are the GPU's, whatever ran. */
const OF_MODELS: ReadonlySet<GpuCause> = new Set(['hang', 'sticky-error']);

export interface GpuFinding {
  readonly cause: GpuCause;
  readonly effect: GpuEffect;
  readonly text: string;
}

export interface GpuVerdict {
  readonly uuid: string;
  /** Of the worst finding, and its words; empty = nothing is wrong. */
  readonly cause: GpuCause | '';
  readonly text: string;
  readonly live: boolean;
  readonly ready: boolean;
  /** Set when the process must end. */
  readonly end: GpuEnd | undefined;
  /** The version whose batch hangs or has broken the context, such as "digits version 2"; empty = no model is to blame, or none can be named. */
  readonly suspect: string;
  /** Worst first, one for each cause. */
  readonly findings: readonly GpuFinding[];
  /** The numbers that an operator asks for first. */
  readonly detail: string;
}

interface Held {
  readonly finding: GpuFinding;
  readonly seenMs: number;
}

export class GpuHealth {
  readonly #uuid: string;
  readonly #nvmlStaleMs: number;
  readonly #held = new Map<Condition, Held>();
  readonly #xids = new Map<number, number>();
  #xidCount = 0;
  #lastGoodMs = -Infinity;
  #lastOutOfMemoryMs = -Infinity;
  #outOfMemoryCount = 0;
  /** Failed allocations when the canary last ran well. */
  #outOfMemoryCountAtCanary = 0;

  /** `nvmlStaleMs`: a reading of NVML that is older means that NVML does not answer. */
  constructor(uuid: string, nvmlStaleMs: number) {
    this.#uuid = uuid;
    this.#nvmlStaleMs = nvmlStaleMs;
  }

  /** To be called at every turn with what is so now. `nowMs` never goes back. */
  update(state: NativeGpuState, nowMs: number): GpuVerdict {
    const observation = this.#observe(state, nowMs);
    for (const condition of CONDITIONS) {
      const text = condition.find(observation);
      const { cause, effect } = condition;
      if (text !== undefined) this.#held.set(condition, { finding: { cause, effect, text }, seenMs: nowMs });
      else if (isEnd(effect) || nowMs - (this.#held.get(condition)?.seenMs ?? 0) >= RECOVERY_MS) this.#held.delete(condition);
    }
    return this.#verdict(nowMs, state);
  }

  #observe(state: NativeGpuState, nowMs: number): Observation {
    // The time of the turn, never earlier than the event: a success that counts as later really was.
    const unseen = state.xidCount - this.#xidCount;
    if (unseen > 0) for (const xid of state.recentXids.slice(-unseen)) this.#xids.set(xid, nowMs);
    this.#xidCount = state.xidCount;
    const goodAges = [state.lastBatchAgeMs, goodAge(state.probe), goodAge(state.canary)].filter((ageMs) => ageMs >= 0);
    this.#lastGoodMs = Math.max(this.#lastGoodMs, ...goodAges.map((ageMs) => nowMs - ageMs));
    if (state.outOfMemoryCount > this.#outOfMemoryCount) this.#lastOutOfMemoryMs = nowMs;
    this.#outOfMemoryCount = state.outOfMemoryCount;
    if (state.canary.consecutiveFailures === 0) this.#outOfMemoryCountAtCanary = state.outOfMemoryCount;
    return {
      nowMs,
      state,
      xids: this.#xids,
      lastGoodMs: this.#lastGoodMs,
      lastOutOfMemoryMs: this.#lastOutOfMemoryMs,
      canaryLacksMemory: state.outOfMemoryCount > this.#outOfMemoryCountAtCanary,
      nvmlStaleMs: this.#nvmlStaleMs,
    };
  }

  #verdict(nowMs: number, state: NativeGpuState): GpuVerdict {
    const inOrder = CONDITIONS.flatMap((condition) => this.#held.get(condition) ?? []);
    const findings = inOrder
      .filter(({ finding }, index) => inOrder.findIndex((other) => other.finding.cause === finding.cause) === index)
      .map(({ finding, seenMs }) => ({ ...finding, text: finding.text + passingText(finding, nowMs - seenMs) }));
    const [worst] = findings;
    const end = findings.map(({ effect }) => effect).find(isEnd);
    return {
      uuid: this.#uuid,
      cause: worst?.cause ?? '',
      text: worst?.text ?? '',
      live: end === undefined,
      ready: findings.every(({ effect }) => effect === 'note'),
      end,
      suspect: worst !== undefined && OF_MODELS.has(worst.cause) ? state.suspectModel : '',
      findings,
      detail: [detailOf(state), ...findings.filter(({ effect }) => effect === 'note').map(({ text }) => text)].filter(Boolean).join(', '),
    };
  }
}

function isEnd(effect: GpuEffect): effect is GpuEnd {
  return effect !== 'unready' && effect !== 'note';
}

function passingText({ effect }: GpuFinding, goneMs: number): string {
  return effect === 'unready' && goneMs > 0 ? ` (gone for ${seconds(goneMs)}; ready after ${seconds(RECOVERY_MS)})` : '';
}

/** Milliseconds since it went well; -1 = it did not, the last time. */
function goodAge({ ageMs, consecutiveFailures, consecutiveMismatches }: NativeProbeState): number {
  return consecutiveFailures === 0 && consecutiveMismatches === 0 ? ageMs : -1;
}

/** Such as "memory 3.1 of 80.0 GiB, 54 C, last batch 0.2 s ago". */
function detailOf(state: NativeGpuState): string {
  const parts = [
    state.memoryUsedBytes >= 0 &&
      state.memoryTotalBytes >= 0 &&
      `memory ${gib(state.memoryUsedBytes)} of ${gib(state.memoryTotalBytes)} GiB`,
    state.temperatureCelsius >= 0 && `${Math.round(state.temperatureCelsius)} C`,
    state.lastBatchAgeMs >= 0 ? `last batch ${seconds(state.lastBatchAgeMs)} ago` : 'no batch yet',
    probeDetail('memory probe', state.probe),
    probeDetail('canary', state.canary),
    state.eccUncorrected >= 0 && `ECC ${state.eccUncorrected} uncorrected ${Math.max(0, state.eccCorrected)} corrected`,
  ];
  return parts.filter((part) => part !== false).join(', ');
}

function probeDetail(name: string, { runs, mismatches, ageMs }: NativeProbeState): string | false {
  return ageMs >= 0 && `${name} ${runs} runs ${mismatches} mismatches ${seconds(ageMs)} ago`;
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}
