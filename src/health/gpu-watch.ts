/** All GPUs of the process over time: asks for their state at every turn, and tells the log what begins and what has passed. Main thread. */
import type { NativeGpuReport, NativeGpuState } from '../bridge/gpus.js';
import type { Logger } from '../telemetry/log.js';
import type { GpuCause } from './gpu-conditions.js';
import { GpuHealth, type GpuVerdict } from './gpu-health.js';

export interface GpuWatchOptions {
  readonly report: NativeGpuReport;
  readonly read: () => readonly NativeGpuState[];
  /** Milliseconds between two readings of NVML. */
  readonly monitorIntervalMs: number;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** NVML may block for seconds without being dead. */
const MIN_NVML_STALE_MS = 10_000;

export class GpuWatch {
  readonly #options: GpuWatchOptions;
  readonly #gpus: readonly { readonly uuid: string; readonly health: GpuHealth; causes: ReadonlySet<GpuCause> }[];
  #toldOfNvml = false;
  #verdicts: readonly GpuVerdict[] = [];

  constructor(options: GpuWatchOptions) {
    this.#options = options;
    const nvmlStaleMs = Math.max(MIN_NVML_STALE_MS, 5 * options.monitorIntervalMs);
    this.#gpus = options.report.gpus.map(({ uuid }) => ({ uuid, health: new GpuHealth(uuid, nvmlStaleMs), causes: new Set() }));
  }

  /** What the start found. */
  get report(): NativeGpuReport {
    return this.#options.report;
  }

  /** Of the last turn, one for each GPU of the report. */
  get verdicts(): readonly GpuVerdict[] {
    return this.#verdicts;
  }

  /** One turn. */
  look(): readonly GpuVerdict[] {
    if (this.#gpus.length === 0) return this.#verdicts;
    const states = new Map(this.#options.read().map((state) => [state.uuid, state]));
    const nowMs = this.#options.now();
    this.#verdicts = this.#gpus.map((gpu) => {
      const verdict = gpu.health.update(states.get(gpu.uuid), nowMs);
      const causes = new Set(verdict.findings.map(({ cause }) => cause));
      this.#tell(verdict, gpu.causes, causes);
      gpu.causes = causes;
      return verdict;
    });
    return this.#verdicts;
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
