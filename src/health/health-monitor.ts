/**
 * Publishes the health snapshot at every turn of an interval and at once when something changed. Main thread.
 * The publishing itself is the heartbeat: front ends call a snapshot that is not renewed "not live".
 */
import type { HealthSnapshot } from '../bridge/health-snapshot.js';
import { evaluateHealth, type HealthFacts, type HealthRules } from './checks.js';

export interface HealthMonitorOptions {
  readonly intervalMs: number;
  readonly rules: HealthRules;
  /** Everything but what the monitor knows itself. */
  readonly facts: () => Omit<HealthFacts, 'blockedMs'>;
  readonly publish: (snapshot: HealthSnapshot) => void;
  /** Called when one of the three answers changes. */
  readonly onChange: (snapshot: HealthSnapshot, before: HealthSnapshot | undefined) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  #timer: NodeJS.Timeout | undefined;
  #lastTurnMs: number;
  #blockedMs = 0;
  #snapshot: HealthSnapshot | undefined;

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#lastTurnMs = options.now();
  }

  /** Publishes now, then at every interval. */
  start(): void {
    this.#lastTurnMs = this.#options.now();
    this.update();
    this.#timer = setInterval(() => this.turn(), this.#options.intervalMs);
  }

  /** One turn of the interval: measures how late it came. */
  turn(): void {
    const now = this.#options.now();
    this.#blockedMs = Math.max(0, now - this.#lastTurnMs - this.#options.intervalMs);
    this.#lastTurnMs = now;
    this.update();
  }

  /** Evaluates and publishes; to be called when a fact has changed. */
  update(): void {
    const before = this.#snapshot;
    const snapshot = evaluateHealth({ ...this.#options.facts(), blockedMs: this.#blockedMs }, this.#options.rules);
    this.#snapshot = snapshot;
    this.#options.publish(snapshot);
    const same = before?.live === snapshot.live && before.ready === snapshot.ready && before.started === snapshot.started;
    if (!same) this.#options.onChange(snapshot, before);
  }

  /** No snapshot is published any more. May be repeated. */
  stop(): void {
    clearInterval(this.#timer);
  }
}
