/** The native front end as the server has it: started, told to go, drained, destroyed, and what it has to say for the log. */
import {
  startFrontEnd,
  type NativeFrontEnd,
  type NativeFrontEndOptions,
  type NativeRequestEvent,
  type TlsMaterial,
} from '../bridge/front-end.js';
import { callNative, nativeError } from '../bridge/native-errors.js';
import type { Logger } from '../telemetry/log.js';
import { errorReply } from './error-reply.js';
import type { RequestLog } from './request-log.js';

export interface NativeLoopsOptions {
  readonly native: NativeFrontEndOptions;
  readonly log: Logger;
  readonly requestLog: RequestLog;
  /** For tests. */
  readonly start?: typeof startFrontEnd;
}

/** Between two lines that say how many others were lost. */
const LOST_INTERVAL_MS = 1000;

export class NativeLoops {
  readonly #native: NativeFrontEnd;
  readonly #log: Logger;
  readonly #drained: Promise<void>;
  #lost = 0;
  #lostTimer: NodeJS.Timeout | undefined;
  #markDrained = (): void => {};
  /** ONNX Runtime's static destructors must not meet a loop that sends outputs of models. */
  readonly #onExit = (): void => this.#native.destroy();

  /** Serves from now on the ports that were opened for it. Throws ERR_INTERNAL, ERR_NOT_SUPPORTED. */
  constructor({ native, log, requestLog, start = startFrontEnd }: NativeLoopsOptions) {
    this.#log = log;
    this.#drained = new Promise((resolve) => (this.#markDrained = resolve));
    this.#native = start(
      native,
      () => this.#markDrained(),
      (events, lost) => {
        // In a turn of its own, so that probes and signals are heard between two batches. First, as a log may throw.
        setImmediate(() => this.#native.nextEvents());
        for (const event of events) logRequest(requestLog, event);
        this.#lost += lost;
        if (this.#lostTimer === undefined) this.#tellLost();
      },
    );
    process.once('exit', this.#onExit);
  }

  /** Answers tell their clients to go from now on; everything is still served. */
  goAway(): void {
    this.#native.goAway();
  }

  /** For connections that come from now on; only where the options had one. Throws ERR_CONFIG_OPTION. */
  setTls(material: TlsMaterial): void {
    callNative(() => this.#native.setTls(material));
  }

  /** Finishes what was accepted; resolves when the last connection has ended, or been destroyed. The ports must be closed. May be repeated. */
  drain(): Promise<void> {
    this.#native.drain();
    return this.#drained;
  }

  /** Closes every connection now. May be repeated. */
  destroy(): void {
    process.off('exit', this.#onExit);
    this.#native.destroy();
    this.#tellLost();
    clearTimeout(this.#lostTimer);
    this.#markDrained();
  }

  /** At most once a second: where lines are lost, each batch of those that are written would have one more. */
  #tellLost(): void {
    clearTimeout(this.#lostTimer);
    this.#lostTimer = undefined;
    if (this.#lost === 0) return;
    this.#log.warn({ lost: this.#lost }, 'lines about requests were lost: there were more than could be written');
    this.#lost = 0;
    this.#lostTimer = setTimeout(() => this.#tellLost(), LOST_INTERVAL_MS).unref();
  }
}

function logRequest(log: RequestLog, event: NativeRequestEvent): void {
  const { method, path, requestId } = event;
  if (event.kind === 'failed') {
    log.failed({ method, path, requestId }, errorReply(nativeError(event.code, event.message)));
    return;
  }
  const { durationMs, bytesIn, bytesOut } = event;
  // The status of HTTP is a number.
  const status = /^\d+$/.test(event.status) ? Number(event.status) : event.status;
  log.endedAfter({ method, path, requestId, status, durationMs, bytesIn, bytesOut });
}
