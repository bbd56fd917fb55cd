/** Work that must not overlap on the same GPU: what a load takes of its memory is measured by what is free before and after. */

export class LoadTurns {
  /** The end of the last work on each GPU. */
  readonly #ends = new Map<string, Promise<unknown>>();

  /** Runs `work` once all earlier work on any of `gpus` (UUIDs) has ended, at once when there are none. Settles as it does. */
  async take<T>(gpus: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = Promise.all(gpus.flatMap((gpu) => this.#ends.get(gpu) ?? []));
    const done = before.then(work);
    const end = done.catch(() => {});
    for (const gpu of gpus) this.#ends.set(gpu, end);
    return done;
  }
}
