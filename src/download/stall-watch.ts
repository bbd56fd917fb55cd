/** Ends an attempt from which nothing comes. Time that we spend on writing does not count. */
import { tryAgain } from './source.js';

export class StallWatch {
  readonly #timeoutMs: number;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  /** `timeoutMs`: 0 = never. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Aborted with ERR_PULL_SOURCE as its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  arm(): void {
    this.disarm();
    if (this.#timeoutMs === 0) return;
    this.#timer = setTimeout(() => this.#controller.abort(tryAgain(`no byte for ${this.#timeoutMs / 1000} s`)), this.#timeoutMs);
  }

  disarm(): void {
    clearTimeout(this.#timer);
  }
}
