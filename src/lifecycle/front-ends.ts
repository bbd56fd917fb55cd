/**
 * The front-end threads: all start, all drain, and one that dies is replaced, so that only its own clients notice. With one exception that is
 * not ours to mend: Node 20 aborts the process when a thread ends at the moment in which node:http2 hands it the data of a gRPC call.
 */
import type { ThreadTls } from '../bridge/thread-messages.js';
import { ServerError } from '../errors.js';
import type { Logger } from '../telemetry/log.js';
import type { FrontEndThread } from './front-end-thread.js';

/** So many deaths within so long are no accident: whatever kills the threads will go on. */
const MAX_DEATHS = 5;
const DEATHS_WITHIN_MS = 60_000;

export interface FrontEndsOptions {
  readonly count: number;
  /** Starts the thread of that number, which says when it dies. */
  readonly startThread: (thread: number, onLost: (error: ServerError) => void) => FrontEndThread;
  readonly log: Logger;
  /** More or fewer threads take connections than before. */
  readonly onChange: () => void;
  /** Threads die faster than it makes sense to replace them. */
  readonly onGivenUp: (error: ServerError) => void;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

export class FrontEnds {
  readonly #options: FrontEndsOptions;
  readonly #threads: FrontEndThread[] = [];
  readonly #listening = new Set<FrontEndThread>();
  #deathsAtMs: number[] = [];
  #leaving = false;

  constructor(options: FrontEndsOptions) {
    this.#options = options;
  }

  /** Threads that take connections. */
  get listening(): number {
    return this.#listening.size;
  }

  /** Resolves when every thread takes connections; rejects with what keeps the first one that cannot from it. */
  async start(): Promise<void> {
    for (let thread = 0; thread < this.#options.count; thread++) this.#startThread(thread);
    await Promise.all(this.#threads.map((thread) => thread.listening));
  }

  /** Finishes accepted requests; resolves when every thread has. The ports must be closed. */
  async drain(): Promise<void> {
    this.#leaving = true;
    await Promise.all(this.#threads.map((thread) => thread.drain()));
  }

  /** For connections that come from now on. A thread that is started later has what `startThread` gives it. */
  setTls(tls: ThreadTls): void {
    for (const thread of this.#threads) thread.setTls(tls);
  }

  /** Ends every thread now. May be repeated. */
  async destroy(): Promise<void> {
    this.#leaving = true;
    await Promise.all(this.#threads.map((thread) => thread.destroy()));
  }

  #startThread(number: number): FrontEndThread {
    const thread = this.#options.startThread(number, (error) => {
      this.#listening.delete(thread);
      this.#options.onChange();
      this.#replace(number, error);
    });
    this.#threads[number] = thread;
    thread.listening.then(
      () => {
        this.#listening.add(thread);
        this.#options.onChange();
      },
      () => {}, // Whoever waits for it is told, too.
    );
    return thread;
  }

  #replace(number: number, cause: ServerError): void {
    if (this.#leaving) return;
    const now = this.#options.now();
    this.#deathsAtMs = [...this.#deathsAtMs.filter((atMs) => now - atMs < DEATHS_WITHIN_MS), now];
    if (this.#deathsAtMs.length >= MAX_DEATHS) {
      const words = `${MAX_DEATHS} front-end threads died within ${DEATHS_WITHIN_MS / 1000} s`;
      this.#options.onGivenUp(new ServerError('ERR_INTERNAL', words, { cause }));
      return;
    }
    this.#options.log.error({ err: cause, thread: number }, 'a front-end thread died and its connections with it; another one is started');
    this.#startThread(number).listening.catch((error: ServerError) => this.#replace(number, error));
  }
}
