/** One timer per front-end thread that follows the health snapshot, so that neither requests nor Watch streams ask for it each. */
import { currentHealth, type HealthSnapshot } from '../bridge/health-snapshot.js';

const POLL_INTERVAL_MS = 200;

export class HealthWatch {
  readonly #listeners = new Set<(ready: boolean) => void>();
  readonly #exitListeners: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  #ready: boolean;
  #exiting: boolean;

  constructor() {
    const { ready, exiting } = currentHealth();
    this.#ready = ready;
    this.#exiting = exiting;
    this.#timer = setInterval(() => this.#poll(), POLL_INTERVAL_MS);
    this.#timer.unref();
  }

  /** At most `POLL_INTERVAL_MS` old. */
  get ready(): boolean {
    return this.#ready;
  }

  /** At most `POLL_INTERVAL_MS` old. Never goes back: a snapshot that has grown too old says nothing about it. */
  get exiting(): boolean {
    return this.#exiting;
  }

  /** Calls back with each change from what `ready` says now, which is brought up to date first. Returns the call that ends it. */
  onChange(listener: (ready: boolean) => void): () => void {
    this.#poll();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls back with each poll from the one on that finds the server exiting. */
  whileExiting(listener: () => void): void {
    this.#exitListeners.push(listener);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  #poll(): void {
    const health: HealthSnapshot = currentHealth();
    this.#exiting ||= health.exiting;
    if (this.#exiting) for (const listener of this.#exitListeners) listener();
    if (health.ready === this.#ready) return;
    this.#ready = health.ready;
    for (const listener of this.#listeners) listener(health.ready);
  }
}
