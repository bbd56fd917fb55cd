/** Simulations on worker threads: they block, and a plan needs hundreds. */
import { Piscina } from 'piscina';
import type { SimulationJob, SimulationResult } from '../../bridge/simulation.js';
import { ServerError } from '../../errors.js';
import type { SimulationOutcome, SimulationTask } from './simulation-worker.js';

export class SimulationPool {
  readonly #pool: Piscina<SimulationTask, SimulationOutcome>;
  /** Stop words of the calls of `run` that have not ended. */
  readonly #running = new Set<Int32Array>();
  #closing: Promise<void> | undefined;

  /** `threads`: >= 1. They start at once and live until `close`; idle, they do not keep the process alive. */
  constructor(threads: number) {
    const filename = new URL('./simulation-worker.js', import.meta.url).href;
    this.#pool = new Piscina({ filename, name: 'runSimulation', minThreads: threads, maxThreads: threads, recordTiming: false });
  }

  /**
   * The results in the order of the jobs. The first job that fails ends the others and rejects with its error, which names it by its place.
   * `stop` ends them all within moments, those that wait included; it rejects with `stop.reason` itself then, so that a caller tells it from
   * a failure by identity. After `close`: ERR_CLOSED.
   */
  async run(jobs: readonly SimulationJob[], stop?: AbortSignal): Promise<readonly SimulationResult[]> {
    stop?.throwIfAborted();
    if (this.#closing !== undefined) throw closed();
    const word = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const end = (): void => void Atomics.store(word, 0, 1);
    this.#running.add(word);
    stop?.addEventListener('abort', end, { once: true });
    const failures: ServerError[] = [];
    const runOne = async (job: SimulationJob, index: number): Promise<readonly SimulationResult[]> => {
      const outcome = await this.#pool.run({ job, stop: word }).catch(threadFailure);
      if ('result' in outcome) return [outcome.result];
      failures.push(new ServerError(outcome.code, `simulation ${index + 1} of ${jobs.length}: ${outcome.message}`));
      end();
      return [];
    };
    try {
      const results = await Promise.all(jobs.map(runOne));
      stop?.throwIfAborted();
      if (failures[0] !== undefined) throw this.#closing === undefined ? failures[0] : closed();
      return results.flat();
    } finally {
      stop?.removeEventListener('abort', end);
      this.#running.delete(word);
    }
  }

  /** Ends what runs, and the threads. May be repeated. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    // A thread cannot be terminated while it simulates.
    for (const word of this.#running) Atomics.store(word, 0, 1);
    await this.#pool.close();
  }
}

/** Of the thread, not of the simulation. */
function threadFailure(thrown: unknown): SimulationOutcome {
  return { code: 'ERR_INTERNAL', message: thrown instanceof Error ? thrown.message : String(thrown) };
}

function closed(): ServerError {
  return new ServerError('ERR_CLOSED', 'the simulation pool is closed');
}
