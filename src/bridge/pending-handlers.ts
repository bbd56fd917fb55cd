/**
 * Who waits for which token. Not a Map: one that lives long and whose entries come and go leaves a chain of outgrown tables behind. Once one
 * of these has been promoted to V8's old generation, every later table, and with it every request that was ever in one, stays until the next
 * full collection.
 */
/** More than can be pending: a token is a slot plus a multiple of this. */
const STRIDE = 2 ** 24;
/** Tokens of one slot before they repeat; all of them are exact numbers. */
const ROUNDS = 2 ** 28;

interface Slot<Handler> {
  /** Of the handler, or of the one to come. */
  token: number;
  handler: Handler | undefined;
}

export class PendingHandlers<Handler extends object> {
  readonly #slots: Slot<Handler>[] = [];
  readonly #free: Slot<Handler>[] = [];
  #count = 0;

  /** Of those that have been added and not taken. */
  get count(): number {
    return this.#count;
  }

  /** What the next handler to be added is known by: nothing pending has it, and nothing had it lately. */
  get nextToken(): number {
    const free = this.#free.at(-1);
    return free === undefined ? this.#slots.length : free.token;
  }

  /** Under `nextToken`. */
  add(handler: Handler): void {
    this.#count++;
    const free = this.#free.pop();
    if (free === undefined) this.#slots.push({ token: this.#slots.length, handler });
    else free.handler = handler;
  }

  /** Undefined when nobody waits for the token. */
  take(token: number): Handler | undefined {
    const slot = this.#slots[token % STRIDE];
    if (slot?.token !== token || slot.handler === undefined) return undefined;
    const { handler } = slot;
    slot.handler = undefined;
    slot.token = (token + STRIDE) % (STRIDE * ROUNDS);
    this.#free.push(slot);
    this.#count--;
    return handler;
  }

  clear(): void {
    this.#slots.length = 0;
    this.#free.length = 0;
    this.#count = 0;
  }
}
