/** The serving ports that are open, and the log line while the system lets nobody in. */
import type { NativeListener } from '../bridge/addon.js';
import { openListener, type NativePortName, type PortOptions } from '../bridge/ports.js';
import type { Logger } from '../telemetry/log.js';

/** Between two looks, and so between two lines on one port. */
const LOOK_INTERVAL_MS = 1000;

export class Listeners {
  readonly #log: Logger;
  readonly #open: typeof openListener;
  readonly #listeners = new Map<NativePortName, NativeListener>();
  #timer: NodeJS.Timeout | undefined;

  /** `open` is for tests. */
  constructor(log: Logger, open = openListener) {
    this.#log = log;
    this.#open = open;
  }

  /** The number of the port. Throws as `openListener` does. */
  open(options: PortOptions): number {
    const listener = this.#open(options);
    this.#listeners.set(options.name, listener);
    this.#timer ??= setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
    return listener.port;
  }

  /** What has connected already is accepted. May be repeated. */
  close(): void {
    clearInterval(this.#timer);
    for (const listener of this.#listeners.values()) listener.close();
  }

  #look(): void {
    for (const [port, listener] of this.#listeners) {
      const reason = listener.shortage();
      if (reason !== '') this.#log.warn({ port, reason }, 'who connects has to wait: the system has no room for another connection');
    }
  }
}
