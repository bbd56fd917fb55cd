/**
 * What a failed GPU does to the process: it ends, with the code and the words of the cause, once the answers have left. Nothing is destroyed
 * (ONNX Runtime's destructors would call a driver that hangs or fails), and the engine has failed every run of that GPU by itself already.
 */
import type { Logger } from '../telemetry/log.js';
import { EXIT_ABORTED, EXIT_GPU_CORRUPT, EXIT_GPU_FAULT, EXIT_GPU_LOST } from './exit-codes.js';
import { writeTerminationLog } from './termination-log.js';

/** How a GPU ends the process. */
const EXIT_CODES = { 'gpu-fault': EXIT_GPU_FAULT, 'gpu-lost': EXIT_GPU_LOST, 'gpu-corrupt': EXIT_GPU_CORRUPT } as const;

/** A hang may end in the engine's abort, which can write nothing any more. */
const HANGS: ReadonlySet<string> = new Set(['hang', 'driver-hang']);

/** Answers of the requests that failed with the GPU get this long to leave, and NVML to say more than the code of a call. */
const LEAVE_MS = 500;

export interface GpuCondition {
  readonly uuid: string;
  readonly cause: string;
  readonly text: string;
  /** Undefined: the process goes on. */
  readonly end: keyof typeof EXIT_CODES | undefined;
  /** The version that is to blame if the process ends for this; empty = none. */
  readonly suspect: string;
}

/** Which version would be to blame if the process ended now, and for what. */
export interface Suspicion {
  readonly model: string;
  readonly cause: string;
}

export interface GpuReactionOptions {
  readonly log: Logger;
  /** Leaves the process at once. */
  readonly exitNow: (code: number) => void;
  /** Told at every turn whom the next process would blame. */
  readonly blame?: (suspicion: Suspicion | undefined) => void;
  /** Path of the termination log; Kubernetes' own by default. */
  readonly terminationLog?: string;
}

export class GpuReaction {
  readonly #options: GpuReactionOptions;
  /** What the process ends for. */
  #fatal: GpuCondition | undefined;
  /** The line that stands for the abort that may come. */
  #hang = '';

  constructor(options: GpuReactionOptions) {
    this.#options = options;
  }

  /** To be called at every turn with what is so now. */
  follow(gpus: readonly GpuCondition[]): void {
    const fatal = gpus.find(({ end }) => end !== undefined);
    // The first code is often less exact than what follows: a GPU that falls off the bus first fails a call.
    const begins = this.#fatal === undefined && fatal !== undefined;
    this.#fatal = fatal ?? this.#fatal;
    if (begins) setTimeout(() => this.#leave(), LEAVE_MS);
    const suspected = gpus.find(({ suspect }) => suspect !== '');
    this.#options.blame?.(suspected && { model: suspected.suspect, cause: suspected.cause });
    if (this.#fatal === undefined) this.#announceAbort(gpus.find(({ cause }) => HANGS.has(cause)));
  }

  #announceAbort(hung: GpuCondition | undefined): void {
    const cause = hung === undefined ? '' : `exit code ${EXIT_ABORTED}: GPU ${hung.uuid}: ${hung.cause}`;
    if (cause === this.#hang) return;
    this.#hang = cause;
    this.#write(cause);
  }

  #leave(): void {
    if (this.#fatal?.end === undefined) return;
    const { uuid, cause, text, end } = this.#fatal;
    const exitCode = EXIT_CODES[end];
    const words = `GPU ${uuid}: ${cause}: ${text}`;
    this.#options.log.fatal({ cause, gpu_uuid: uuid, exit_code: exitCode }, words);
    this.#write(`exit code ${exitCode}: ${words}`);
    this.#options.exitNow(exitCode);
  }

  #write(text: string): void {
    writeTerminationLog(text, this.#options.terminationLog);
  }
}
