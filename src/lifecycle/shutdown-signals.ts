/**
 * SIGTERM and SIGINT. Installed before anything slow is even imported: process 1 of a container has no default action for them, so a
 * signal that nobody listens to yet would be lost. Imports nothing for that reason.
 */
export type ShutdownSignal = 'SIGTERM' | 'SIGINT';

export class ShutdownSignals {
  readonly #hurry = new AbortController();
  readonly first: Promise<ShutdownSignal>;

  constructor(source: NodeJS.EventEmitter = process) {
    let received = 0;
    this.first = new Promise((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        source.on(signal, () => {
          received++;
          resolve(signal);
          if (signal === 'SIGINT' || received > 1) this.#hurry.abort();
        });
      }
    });
  }

  /** Aborted by SIGINT and by every second signal: the drain delay is cut short, and nothing else. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }
}
