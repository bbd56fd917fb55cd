/** A thread of the simulation pool. Errors go back as data: a copied error would lose its code. */
import { simulate, type SimulationJob, type SimulationResult } from '../../bridge/simulation.js';
import { asServerError, type ErrorCode } from '../../errors.js';

export interface SimulationTask {
  readonly job: SimulationJob;
  /** Shared memory: the simulation ends once the element is not 0. */
  readonly stop: Int32Array;
}

export type SimulationOutcome = { readonly result: SimulationResult } | { readonly code: ErrorCode; readonly message: string };

export function runSimulation({ job, stop }: SimulationTask): SimulationOutcome {
  try {
    return { result: simulate(job, stop) };
  } catch (thrown) {
    const { code, message } = asServerError(thrown);
    return { code, message };
  }
}
