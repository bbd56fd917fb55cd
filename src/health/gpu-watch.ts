/** All GPUs of the process over time: asks for their state at every turn, and tells the log what begins and what has passed. Main thread. */
import type { NativeGpuReport, NativeGpuState } from '../bridge/gpus.js';
import type { Logger } from '../telemetry/log.js';
import type { GpuFacts } from './checks.js';
import type { GpuCause } from './gpu-conditions.js';
import { GpuHealth, type GpuVerdict } from './gpu-health.js';

export interface GpuWatchOptions {
  /** What the start has found so far, and whether models wait for more. */
  readonly search: { readonly report: NativeGpuReport; readonly isWaiting: boolean };
  readonly read: () => readonly NativeGpuState[];
  /** Milliseconds between two readings of NVML. */
  readonly monitorIntervalMs: number;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** What a model has to do with GPUs. */
export interface GpuUser {
  /** It is refused because its configuration insists on a GPU. */
  readonly lacksGpu: boolean;
  /** UUIDs of the GPUs that it runs on. */
  readonly gpus: readonly string[];
}

/** What is wrong with a GPU; the UUID is empty when it is that there is none. */
export interface GpuTrouble {
  readonly uuid: string;
  /** Several may hold; none = all is well. */
  readonly causes: readonly string[];
}

/** NVML may block for seconds without being dead. */
const MIN_NVML_STALE_MS = 10_000;

export class GpuWatch {
  readonly #options: GpuWatchOptions;
  /** By UUID, as they are first seen. */
  readonly #gpus = new Map<string, { readonly health: GpuHealth; causes: ReadonlySet<GpuCause> }>();
  readonly #nvmlStaleMs: number;
  #toldOfNvml = false;
  #facts: GpuFacts | undefined;

  constructor(options: GpuWatchOptions) {
    this.#options = options;
    this.#nvmlStaleMs = Math.max(MIN_NVML_STALE_MS, 5 * options.monitorIntervalMs);
  }

  /** One turn. Throws before the engine has started. */
  look(models: readonly GpuUser[]): GpuFacts {
    const { report, isWaiting } = this.#options.search;
    const { cause, reason } = report;
    const needed = isWaiting || models.some(({ lacksGpu }) => lacksGpu);
    const inUse = new Set(models.flatMap(({ gpus }) => gpus));
    this.#facts = { startCause: cause, startReason: reason, needed, inUse, verdicts: this.#verdicts() };
    return this.#facts;
  }

  /** Of the last turn, one for each GPU. */
  troubles(): readonly GpuTrouble[] {
    if (this.#facts === undefined) return [];
    const { startCause, needed, verdicts } = this.#facts;
    const atStart = needed && startCause !== '' ? [{ uuid: '', causes: [startCause] }] : [];
    return [...atStart, ...verdicts.map(({ uuid, findings }) => ({ uuid, causes: findings.map(({ cause }) => cause) }))];
  }

  #verdicts(): readonly GpuVerdict[] {
    const nowMs = this.#options.now();
    return this.#options.read().map((state) => {
      const gpu = this.#gpus.get(state.uuid) ?? { health: new GpuHealth(state.uuid, this.#nvmlStaleMs), causes: new Set() };
      this.#gpus.set(state.uuid, gpu);
      const verdict = gpu.health.update(state, nowMs);
      const causes = new Set(verdict.findings.map(({ cause }) => cause));
      this.#tell(verdict, gpu.causes, causes);
      gpu.causes = causes;
      return verdict;
    });
  }

  #tell({ uuid, findings }: GpuVerdict, before: ReadonlySet<GpuCause>, now: ReadonlySet<GpuCause>): void {
    const { log } = this.#options;
    for (const { cause, effect, text } of findings) {
      if (before.has(cause)) continue;
      if (cause === 'nvml-unavailable') {
        // All GPUs lack it together, most often for a whole life: one line is enough.
        if (!this.#toldOfNvml) log.warn({ cause }, `NVML gives nothing, so readings of the GPUs and its metrics are missing: ${text}`);
        this.#toldOfNvml = true;
      } else log.warn({ gpu_uuid: uuid, cause, effect }, `GPU ${uuid}: ${text}`);
    }
    for (const cause of before) {
      if (!now.has(cause) && cause !== 'nvml-unavailable') log.info({ gpu_uuid: uuid, cause }, `GPU ${uuid}: "${cause}" has passed`);
    }
  }
}
