/**
 * The GPUs of the process, where they come up after it: on machines with NVSwitch no GPU can be used until the fabric manager has set the
 * fabric up, which takes minutes after a boot. The engine has looked once when it started; this looks again for a while. Main thread.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NativeGpuReport } from '../bridge/control.js';

/** The only cause of which waiting mends anything. */
const NOT_READY_YET = 'fabric-not-ready';

/** Time before the second look; doubled each time. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

export interface GpuSearchOptions {
  /** What the engine has found when it started. */
  readonly first: NativeGpuReport;
  readonly findGpus: () => Promise<NativeGpuReport>;
  /** Milliseconds; 0 = what was found at first is all. */
  readonly patienceMs: number;
  readonly log: Readonly<Record<'warn', (fields: object, message: string) => void>>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export class GpuSearch {
  readonly #options: GpuSearchOptions;
  readonly #stop = new AbortController();
  #report: NativeGpuReport;
  #isWaiting = false;

  constructor(options: GpuSearchOptions) {
    this.#options = options;
    this.#report = options.first;
  }

  /** Of the last look. */
  get report(): NativeGpuReport {
    return this.#report;
  }

  /** Somebody waits for the next look. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Another look may find what the last one did not. */
  get isWorthWaiting(): boolean {
    return this.#options.patienceMs > 0 && this.#report.cause === NOT_READY_YET;
  }

  /** Looks until there are GPUs, waiting would not help, or patience ends. Resolves with what is known then. To be called once. */
  async end(): Promise<NativeGpuReport> {
    const { findGpus, patienceMs, log, now } = this.#options;
    if (!this.isWorthWaiting) return this.#report;
    const { cause, reason } = this.#report;
    log.warn({ cause, patience_ms: patienceMs }, `the GPUs are not ready yet, models wait for them: ${reason}`);
    const { signal } = this.#stop;
    const deadlineMs = now() + patienceMs;
    this.#isWaiting = true;
    try {
      for (let waitMs = FIRST_WAIT_MS; this.isWorthWaiting && now() < deadlineMs; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
        await sleep(Math.min(waitMs, deadlineMs - now()), undefined, { signal }).catch(() => {});
        if (signal.aborted) break;
        this.#report = await findGpus();
      }
    } finally {
      this.#isWaiting = false;
    }
    return this.#report;
  }

  /** `end` resolves soon. May be repeated. */
  stop(): void {
    this.#stop.abort();
  }
}
