/** One HTTP request and its answer: small JSON replies, failures, and knowing when the answer has left or never will. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RefusedError } from '../../bridge/inference.js';
import { errorReply } from '../error-reply.js';
import type { RequestLog } from '../request-log.js';
import { retryAfterSeconds } from '../retry-delay.js';
import { MethodError, pathOf } from './router.js';

/** How long a refused body is read and thrown away, so that the client gets to read why, before the connection is closed. */
const LINGER_MS = 2000;

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Request id that the client gave; empty = none, or not known yet. */
  requestId = '';
  /** Body bytes, for the access log. */
  bytesIn = 0;
  bytesOut = 0;
  /** True while bytes of the request body are outstanding. */
  bodyPending = false;

  readonly #log: RequestLog;
  readonly #isClosing: () => boolean;
  readonly #startedMs: number;
  readonly #onEnd: (() => void)[] = [];
  #ended = false;

  /** `isClosing`: answers must tell clients to go. Whoever has the connection calls `end` when it closes. */
  constructor(request: IncomingMessage, response: ServerResponse, log: RequestLog, isClosing: () => boolean) {
    this.request = request;
    this.response = response;
    this.#log = log;
    this.#isClosing = isClosing;
    this.#startedMs = log.access ? performance.now() : 0;
    response.on('finish', () => this.end());
  }

  /** The answer has been handed to the kernel, or the client is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The request is still coming in and nothing has been said to it. */
  get isArriving(): boolean {
    return this.bodyPending && !this.request.complete && !this.response.headersSent;
  }

  /** Calls back once when the exchange ends; at once when it has ended. */
  onEnd(callback: () => void): void {
    if (this.#ended) callback();
    else this.#onEnd.push(callback);
  }

  sendJson(status: number, body: string, headers: readonly string[] = []): void {
    if (this.#ended) return;
    const bytes = Buffer.byteLength(body);
    this.writeHead(status, ['Content-Type', 'application/json', 'Content-Length', String(bytes), ...headers]);
    this.bytesOut = bytes;
    this.response.end(body);
  }

  /** `headers`: names and values alternating; `Content-Length` must be among them. */
  writeHead(status: number, headers: string[]): void {
    if (this.#isClosing()) headers.push('Connection', 'close');
    this.response.writeHead(status, headers);
  }

  /** Answers with the error's status and `{"error":...}`. May be called at any time; an answer that has begun is cut off instead. */
  fail(thrown: unknown): void {
    const reply = errorReply(thrown);
    if (thrown instanceof RefusedError) this.requestId = thrown.requestId;
    this.#log.failed(this.#facts(), reply);
    if (this.#ended) return;
    if (this.response.headersSent) {
      this.response.destroy();
      return;
    }
    const headers: string[] = [];
    if (reply.retryAfterMs > 0) headers.push('Retry-After', String(retryAfterSeconds(reply.retryAfterMs)));
    if (reply.error.code === 'ERR_REQUEST_ENCODING') headers.push('Accept-Encoding', 'gzip, deflate');
    if (reply.error instanceof MethodError) headers.push('Allow', reply.error.allow);
    const body = JSON.stringify({ error: reply.message });
    if (this.bodyPending) this.#refuseRest(reply.httpStatus, body, headers);
    else this.sendJson(reply.httpStatus, body, headers);
  }

  /**
   * The whole answer goes out now, but the connection stays open until the client has sent its body or the time is up: closing it with
   * unread data would reset it and could take the answer with it.
   */
  #refuseRest(status: number, body: string, headers: string[]): void {
    this.bytesOut = Buffer.byteLength(body);
    headers.push('Content-Type', 'application/json', 'Content-Length', String(this.bytesOut), 'Connection', 'close');
    this.response.writeHead(status, headers);
    this.response.write(body);
    const close = (): void => {
      clearTimeout(timer);
      this.response.end();
    };
    const timer = setTimeout(close, LINGER_MS);
    this.request.once('end', close);
    this.onEnd(() => clearTimeout(timer));
    this.request.resume();
  }

  #facts(): { method: string; path: string; requestId: string } {
    return { method: this.request.method ?? '', path: pathOf(this.request.url ?? ''), requestId: this.requestId };
  }

  /** Nothing more goes out. May be repeated. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const callback of this.#onEnd.splice(0)) callback();
    if (!this.#log.access) return;
    const status = this.response.writableFinished ? this.response.statusCode : 'aborted';
    this.#log.ended({ ...this.#facts(), status, startedMs: this.#startedMs, bytesIn: this.bytesIn, bytesOut: this.bytesOut });
  }
}
