/** Clients as a load balancer has them: they go on until shortly after the server said that it is not ready, and count what fails. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from './server-process.js';

const POLL_INTERVAL_MS = 50;

export class BalancedLoad {
  readonly #server: ServerProcess;
  readonly #lagMs: number;
  readonly #loops: Promise<void>[] = [];
  #stopped = false;
  /** `performance.now()` at the first answer that was not 200; undefined = the server is ready. */
  notReadyAtMs: number | undefined;
  answered = 0;
  /** Answers that came after the server had said that it is not ready. */
  answeredWhileNotReady = 0;
  readonly failures: string[] = [];

  /** `lagMs`: how long the balancer takes to stop sending after it has seen that the server is not ready. */
  constructor(server: ServerProcess, lagMs: number) {
    this.#server = server;
    this.#lagMs = lagMs;
    this.#loops.push(this.#watch());
  }

  /** Adds a client that makes one request after the other. */
  add(request: () => Promise<unknown>): void {
    this.#loops.push(this.#loop(request));
  }

  /** Resolves when every client has stopped. */
  async done(): Promise<void> {
    await Promise.all(this.#loops);
  }

  async #loop(request: () => Promise<unknown>): Promise<void> {
    while (!this.#stopped) {
      try {
        await request();
        this.answered++;
        if (this.notReadyAtMs !== undefined) this.answeredWhileNotReady++;
      } catch (error) {
        this.failures.push(String(error));
        await sleep(20);
      }
    }
  }

  async #watch(): Promise<void> {
    while (this.notReadyAtMs === undefined) {
      const ready = await fetch(`${this.#server.managementUrl}/ready`).then(
        (answer) => answer.status === 200,
        () => false,
      );
      if (!ready) this.notReadyAtMs = performance.now();
      else await sleep(POLL_INTERVAL_MS);
    }
    await sleep(this.#lagMs);
    this.#stopped = true;
  }
}
