/** A measured server that is started only when something is asked of it that is not on disk. */
import type { ServerSettings } from '../server-settings.js';
import type { RunStore } from './run-store.js';
import type { Trial, TrialLoad } from './trial.js';

/** What a search needs of a server. */
export interface TriedServer {
  measure(load: TrialLoad): Promise<Trial>;
  stop(): Promise<void>;
}

export class StoredServer implements TriedServer {
  readonly #store: RunStore;
  readonly #settings: ServerSettings;
  readonly #start: () => Promise<TriedServer>;
  #server: TriedServer | undefined;

  constructor(store: RunStore, settings: ServerSettings, start: () => Promise<TriedServer>) {
    this.#store = store;
    this.#settings = settings;
    this.#start = start;
  }

  /** Throws what the start, the measurement or the disk does. */
  async measure(load: TrialLoad): Promise<Trial> {
    const stored = this.#store.take(this.#settings, load);
    if (stored !== undefined) return stored;
    const begin = performance.now();
    this.#server ??= await this.#start();
    const trial = await this.#server.measure(load);
    this.#store.keep(trial, (performance.now() - begin) / 1000);
    return trial;
  }

  /** May be repeated. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }
}
