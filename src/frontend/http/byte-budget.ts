/**
 * Bounds the bytes of all bodies that a front-end thread is taking in at one time. A body counts as it arrives, not as it is declared, so
 * a client that declares much and sends nothing holds nothing; once the engine has accepted the request, its own bounds apply.
 */
import { ServerError } from '../../errors.js';

export class ByteBudget {
  readonly #limit: number;
  #held = 0;

  /** `limit` in bytes; 0 = unbounded. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  open(): Allotment {
    return new Allotment(this);
  }

  /** Throws ERR_IN_FLIGHT_FULL, and takes nothing then. For an allotment, which gives back what it took. */
  take(bytes: number): void {
    if (this.#limit > 0 && this.#held + bytes > this.#limit) {
      throw new ServerError(
        'ERR_IN_FLIGHT_FULL',
        `this front-end thread is taking in its part of --max-receiving-bytes already, ${this.#limit} bytes; try again later`,
      );
    }
    this.#held += bytes;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }
}

/** What one request holds of a budget. */
export class Allotment {
  readonly #budget: ByteBudget;
  #bytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Throws ERR_IN_FLIGHT_FULL, and takes nothing then. */
  take(bytes: number): void {
    this.#budget.take(bytes);
    this.#bytes += bytes;
  }

  /** Gives everything back. May be repeated. */
  close(): void {
    this.#budget.giveBack(this.#bytes);
    this.#bytes = 0;
  }
}
