/** HTTP on the connections that one front-end thread has: their limits and their end. Who accepted them is not its business. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Inference } from '../../bridge/inference.js';
import type { FrontEndOptions } from '../../bridge/thread-messages.js';
import type { HealthWatch } from '../health-watch.js';
import type { RequestLog } from '../request-log.js';
import { ByteBudget } from './byte-budget.js';
import { clientErrorAnswer, rawErrorResponse } from './client-error.js';
import { Exchange } from './exchange.js';
import { InferRoute } from './infer.js';
import { answerInformation } from './information-routes.js';
import { findRoute } from './router.js';

const MAX_HEADER_BYTES = 16 * 1024;
/** How often node:http looks for requests that took too long; its default of 30 s would stretch every timeout. */
const TIMEOUT_CHECK_INTERVAL_MS = 1000;
/** How long a connection that has not said anything yet may hold up the drain. */
const SILENT_GRACE_MS = 250;

/** How long a client may take to read why it was refused. */
const REFUSED_GRACE_MS = 2000;

interface Connection {
  /** Those that have not ended, in the order of their requests. Not a Set, for the reason in bridge/pending-handlers.ts. */
  readonly exchanges: Exchange[];
  /** It was told what is wrong with what it sent, and closes. */
  refused: boolean;
  /** What the socket had read when the last request or answer ended: no more by now means that nothing is coming in. */
  quietAtBytes: number;
}

export class HttpListener {
  readonly #options: FrontEndOptions;
  readonly #health: HealthWatch;
  readonly #log: RequestLog;
  readonly #inferRoute: InferRoute;
  readonly #server: Server;
  readonly #connections = new Map<Socket, Connection>();
  readonly #isClosing = (): boolean => this.#draining || this.#health.exiting;
  #draining = false;
  #onEmpty: () => void = () => {};

  constructor(options: FrontEndOptions, inference: Inference, health: HealthWatch, log: RequestLog) {
    this.#options = options;
    this.#health = health;
    this.#log = log;
    this.#inferRoute = new InferRoute(inference, {
      budget: new ByteBudget(options.maxReceivingBytes),
      maxRequestBytes: options.maxRequestBytes,
      stallTimeoutMs: options.requestTimeoutMs,
    });
    const { requestTimeoutMs } = options;
    this.#server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      requireHostHeader: true,
      // node:http refuses a headers timeout above the request timeout (0 = none).
      headersTimeout: requestTimeoutMs > 0 ? Math.min(options.headersTimeoutMs, requestTimeoutMs) : options.headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: options.keepAliveTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
    });
    // Headers beyond a count would be left out in silence; their bytes are bounded anyway.
    this.#server.maxHeadersCount = 0;
    this.#server.on('request', (request, response) => this.#handle(request, response));
    this.#server.on('clientError', (error, socket) => this.#answerClientError(error, socket as Socket));
    // A body that is refused anyway is not asked for.
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (Number(request.headers['content-length'] ?? 0) <= options.maxRequestBytes) response.writeContinue();
      this.#handle(request, response);
    });
    // An expectation that we do not know is not an error; node:http would answer it with a body of its own form.
    this.#server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response));
    // What starts the search for requests that take too long; nothing else listens to it.
    this.#server.emit('listening');
  }

  /** Serves a connection. The socket allows its other side to end first. */
  accept(socket: Socket): void {
    this.#server.emit('connection', socket);
    const connection: Connection = { exchanges: [], refused: false, quietAtBytes: 0 };
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      // A response's own 'close' does not come when it is pipelined and never got its turn.
      for (const exchange of [...connection.exchanges]) exchange.end();
      if (this.#connections.size === 0) this.#onEmpty();
    });
  }

  /** Tells clients to go and finishes what was accepted. Resolves when the last connection has ended. */
  drain(): Promise<void> {
    this.#draining = true;
    if (this.#connections.size === 0) return Promise.resolve();
    // Without the close of node:http: it takes a connection for idle, and cuts it off, whose answer is written but has not left yet; and it
    // stops looking for requests that take too long.
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      for (const [socket, connection] of this.#connections) if (socket.bytesRead > 0) closeWhenIdle(socket, connection);
      // The request of a client that has just connected may be on its way, and is served.
      setTimeout(() => {
        for (const [socket, connection] of this.#connections) closeWhenIdle(socket, connection);
      }, SILENT_GRACE_MS).unref();
    });
  }

  /** Closes every connection now. May be repeated. */
  destroy(): void {
    this.#draining = true;
    this.#server.close();
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const exchange = new Exchange(request, response, this.#log, this.#isClosing);
    const { socket } = request;
    const connection = this.#connections.get(socket);
    if (connection !== undefined) {
      const onQuiet = (): void => {
        connection.quietAtBytes = socket.bytesRead;
        // An answer whose head went out before the drain began did not tell the client to go.
        if (this.#draining) closeWhenIdle(socket, connection);
      };
      connection.exchanges.push(exchange);
      exchange.onEnd(() => {
        connection.exchanges.splice(connection.exchanges.indexOf(exchange), 1);
        onQuiet();
        // Some answers do not wait for the body.
        if (!request.complete) request.once('end', onQuiet);
      });
    }
    try {
      const route = findRoute(request.method ?? '', request.url ?? '');
      if (route.kind === 'infer') void this.#inferRoute.handle(exchange, route);
      else answerInformation(exchange, route, this.#options.serverVersion);
    } catch (thrown) {
      exchange.fail(thrown);
    }
  }

  #answerClientError(error: Error, socket: Socket): void {
    const answer = clientErrorAnswer(error);
    const connection = this.#connections.get(socket);
    // More of the same: TLS gives it piece by piece, before the first answer has left.
    if (connection?.refused === true) return;
    // An answer that is under way, or owed to an earlier request, must not be mixed with this one.
    const owed = connection?.exchanges ?? [];
    const mayAnswer = owed.length === 0 || (owed.length === 1 && owed[0]?.isArriving === true);
    if (answer === undefined || !socket.writable || !mayAnswer) {
      socket.destroy();
      return;
    }
    if (connection !== undefined) connection.refused = true;
    socket.write(rawErrorResponse(answer));
    socket.destroySoon();
    setTimeout(() => socket.destroy(), REFUSED_GRACE_MS).unref();
  }
}

/** Idle: every answer has left, and no part of another request has come. */
function closeWhenIdle(socket: Socket, { exchanges, quietAtBytes }: Connection): void {
  if (exchanges.length === 0 && socket.bytesRead === quietAtBytes) socket.destroySoon();
}
