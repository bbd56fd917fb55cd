/** How a process of ours ends: a controller can tell "restart me" from "mend the deployment" (README has the whole table). */
import { asServerError, type ErrorCode } from '../errors.js';

export const EXIT_OK = 0;
/** A measurement has shown what it looks for: of `bench diff`, something worse; of `bench compare`, answers that differ. */
export const EXIT_FOUND = 1;
/** The command line, the environment or the configuration file asks for something impossible, a port in use included. */
export const EXIT_USAGE = 64;
/** A fault of ours. */
export const EXIT_SOFTWARE = 70;
/** A GPU's context has failed for good; a restart mends it, unless the hardware is to blame. */
export const EXIT_GPU_FAULT = 71;
/** A GPU is gone: a restart finds it only after the node was mended. */
export const EXIT_GPU_LOST = 72;
/** The model repository, a model or the installation was refused; of `pull`, what was to be pulled or the folder for it. */
export const EXIT_REFUSED = 73;
/** A GPU computes wrong results without any error. */
export const EXIT_GPU_CORRUPT = 74;
/**
 * Another run may do better: what is to be pulled could not be had, a measurement was refused or ended early, a plan did not come to its end.
 * What there is by then is kept.
 */
export const EXIT_TRY_AGAIN = 75;
/** The watchdog of the engine ends a process whose GPU hangs (SIGABRT, as the shell counts it). */
export const EXIT_ABORTED = 134;

const CODES: Readonly<Partial<Record<ErrorCode, number>>> = {
  ERR_CONFIG_OPTION: EXIT_USAGE,
  ERR_PORT_BUSY: EXIT_USAGE,
  ERR_MODEL_CONFIG: EXIT_REFUSED,
  ERR_MODEL_LOAD: EXIT_REFUSED,
  ERR_MODEL_UNKNOWN: EXIT_REFUSED,
  ERR_ORT_LIBRARY: EXIT_REFUSED,
  ERR_GPU_FAULT: EXIT_GPU_FAULT,
  ERR_GPU_LOST: EXIT_GPU_LOST,
  ERR_GPU_UNAVAILABLE: EXIT_REFUSED,
  ERR_CUDA_PROVIDER: EXIT_REFUSED,
  ERR_PULL_SOURCE: EXIT_TRY_AGAIN,
  ERR_PULL_REFUSED: EXIT_REFUSED,
  ERR_PULL_TARGET: EXIT_REFUSED,
};

export function exitCodeOf(thrown: unknown): number {
  return CODES[asServerError(thrown).code] ?? EXIT_SOFTWARE;
}

/** Of a command that a signal ended before it was done, as the shell counts it. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return signal === 'SIGINT' ? 130 : 143;
}
