/** One front-end thread as the main thread sees it: start, drain, destroy. Speaks bridge/thread-messages.ts. */
import { Worker } from 'node:worker_threads';
import type { FromFrontEnd, FrontEndOptions, ThreadTls, ToFrontEnd } from '../bridge/thread-messages.js';
import { ServerError } from '../errors.js';

/** A thread that was told to go gets this long before it is terminated. */
const DESTROY_GRACE_MS = 1000;

export class FrontEndThread {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly #drained: Promise<void>;
  #leaving = false;
  #isListening = false;
  /** Resolves when it takes connections; rejects with what the thread says, or when it ends before that. */
  readonly listening: Promise<void>;

  /** `onLost` is called when the thread ends without having been told to, after `listening`. */
  constructor(script: URL, options: FrontEndOptions, onLost: (error: ServerError) => void) {
    this.#worker = new Worker(script, { workerData: options });
    let cause: unknown;
    this.#worker.on('error', (error) => (cause = error));

    let markDrained = (): void => {};
    this.#drained = new Promise((resolve) => (markDrained = resolve));
    let resolveListening = (): void => {};
    let rejectListening: (error: ServerError) => void = () => {};
    this.listening = new Promise((resolve, reject) => ([resolveListening, rejectListening] = [resolve, reject]));
    // Whoever drains before the thread listens does not wait for this promise.
    this.listening.catch(() => {});

    this.#worker.on('message', (message: FromFrontEnd) => {
      switch (message.type) {
        case 'listening':
          this.#isListening = true;
          resolveListening();
          break;
        case 'failed':
          rejectListening(new ServerError(message.code, message.message));
          break;
        case 'drained':
          markDrained();
          break;
      }
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (exitCode) => {
        const error = new ServerError('ERR_INTERNAL', `a front-end thread ended by itself (exit code ${exitCode})`, { cause });
        rejectListening(error);
        markDrained();
        resolve();
        if (this.#isListening && !this.#leaving) onLost(error);
      });
    });
  }

  /** Finishes accepted requests; resolves when that is done or the thread has ended. One that does not listen yet just ends. May be repeated. */
  drain(): Promise<void> {
    if (!this.#isListening) return this.destroy();
    this.#leaving = true;
    this.#tell({ type: 'drain' });
    return this.#drained;
  }

  /** For connections that come from now on; only where its options had one. */
  setTls(tls: ThreadTls): void {
    this.#tell({ type: 'tls', tls });
  }

  /** Closes every connection now and ends the thread. May be repeated. */
  async destroy(): Promise<void> {
    this.#leaving = true;
    this.#tell({ type: 'destroy' });
    const late = setTimeout(() => void this.#worker.terminate(), DESTROY_GRACE_MS);
    await this.#ended;
    clearTimeout(late);
  }

  #tell(message: ToFrontEnd): void {
    this.#worker.postMessage(message);
  }
}
