/** The infer path of one front-end thread: messages down, replies up. Knows nothing of sockets and nothing of tensors. */
import { ServerError } from '../errors.js';
import { addon, type NativeCompletion, type NativeRefusal, type NativeSink } from './addon.js';
import { nativeError } from './native-errors.js';
import { PendingHandlers } from './pending-handlers.js';

/** The answer to an accepted request. `release` must be called once the bytes have left (or will never leave); it may be repeated. */
export interface InferReply {
  /** Request id that the client gave; empty = none. */
  readonly requestId: string;
  /**
   * HTTP: the JSON document. gRPC: the whole ModelInferResponse. A small answer is a text of one character (Latin-1) for each byte, over
   * HTTP with its binary outputs behind the document.
   */
  readonly head: Buffer | string;
  /** HTTP: `Inference-Header-Content-Length`; -1 = the reply is not binary. */
  readonly jsonBytes: number;
  /** HTTP: binary outputs after the head. Native memory until `release`; empty afterwards. */
  readonly tails: readonly Buffer[];
  release(): void;
}

/** Exactly one of the two is called for each accepted request, on this thread, never from inside the submitting call. */
export interface InferHandler {
  onReply(reply: InferReply): void;
  onError(error: ServerError, requestId: string): void;
}

export interface HttpInferMessage {
  readonly model: string;
  /** Empty = the model's default version. */
  readonly version: string;
  /** The body as received; not to be changed until the request has ended. */
  readonly chunks: readonly Uint8Array[];
  /** Value of `Inference-Header-Content-Length`; -1 = absent. */
  readonly jsonBytes: number;
  /** Milliseconds from now; 0 = none. */
  readonly timeoutMs: number;
}

const NOTHING_TO_RELEASE = (): void => {};

/** A request that was refused at once: the request id (empty = none, or not yet read) travels with the reason. */
export class RefusedError extends ServerError {
  readonly requestId: string;
  constructor(refusal: NativeRefusal) {
    const { code, message } = nativeError(refusal.status, refusal.message);
    super(code, message, { retryAfterMs: refusal.retryAfterMs });
    this.requestId = refusal.requestId;
  }
}

export class Inference {
  readonly #handlers = new PendingHandlers<InferHandler>();
  readonly #sink: NativeSink;

  constructor() {
    this.#sink = addon.openSink((completions) => this.#deliver(completions));
  }

  /** Accepted requests that have had no outcome yet. */
  get pending(): number {
    return this.#handlers.count;
  }

  /** Returns a token to cancel by. Throws `RefusedError` when the request is refused at once; the handler is not called then. */
  submitHttp(message: HttpInferMessage, handler: InferHandler): number {
    const token = this.#handlers.nextToken;
    const { model, version, chunks, jsonBytes, timeoutMs } = message;
    return this.#settle(token, handler, this.#sink.submitHttp(token, model, version, chunks, jsonBytes, timeoutMs));
  }

  /** As `submitHttp`, for one serialised ModelInferRequest. */
  submitGrpc(message: Uint8Array, timeoutMs: number, handler: InferHandler): number {
    const token = this.#handlers.nextToken;
    return this.#settle(token, handler, this.#sink.submitGrpc(token, message, timeoutMs));
  }

  /** Ends a request early; its handler still gets ERR_REQUEST_CANCELLED, or the reply when it was faster. Unknown tokens are ignored. */
  cancel(token: number): void {
    this.#sink.cancel(token);
  }

  /** Drops everything; no handler is called any more. May be repeated. */
  close(): void {
    this.#handlers.clear();
    this.#sink.close();
  }

  /** Completions are delivered by later turns of this thread, so the handler is never too late. */
  #settle(token: number, handler: InferHandler, refusal: NativeRefusal | null): number {
    if (refusal !== null) throw new RefusedError(refusal);
    this.#handlers.add(handler);
    return token;
  }

  #deliver(completions: readonly NativeCompletion[]): void {
    for (const completion of completions) {
      const handler = this.#handlers.take(completion.token);
      if (handler === undefined) {
        this.#sink.release(completion.ranges);
      } else if (completion.head === null) {
        handler.onError(nativeError(completion.status, completion.message), completion.requestId);
      } else {
        handler.onReply({
          requestId: completion.requestId,
          head: completion.head,
          jsonBytes: completion.jsonBytes,
          tails: completion.tails,
          release: completion.ranges.length === 0 ? NOTHING_TO_RELEASE : () => this.#sink.release(completion.ranges),
        });
      }
    }
  }
}
