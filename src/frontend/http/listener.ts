/** The HTTP port of one front-end thread: connections, their limits and their end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as TcpServer, type Socket } from 'node:net';
import type { Inference } from '../../bridge/inference.js';
import type { FrontEndOptions } from '../../bridge/thread-messages.js';
import { listen } from '../../listen.js';
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

interface Connection {
  /** Those that have not ended. */
  readonly exchanges: Set<Exchange>;
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
      noDelay: true,
      // TCP keep-alive finds clients that vanished without a word.
      keepAlive: true,
    });
    this.#server.maxConnections = options.maxConnections;
    // Headers beyond a count would be left out in silence; their bytes are bounded anyway.
    this.#server.maxHeadersCount = 0;
    this.#server.on('connection', (socket) => this.#accept(socket));
    this.#server.on('request', (request, response) => this.#handle(request, response));
    this.#server.on('clientError', (error, socket) => this.#answerClientError(error, socket as Socket));
    // A body that is refused anyway is not asked for.
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (Number(request.headers['content-length'] ?? 0) <= options.maxRequestBytes) response.writeContinue();
      this.#handle(request, response);
    });
    // An expectation that we do not know is not an error; node:http would answer it with a body of its own form.
    this.#server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response));
  }

  /** Resolves with the port. Throws ERR_PORT_BUSY, ERR_CONFIG_OPTION. */
  listen(port: number): Promise<number> {
    return listen(this.#server, this.#options.host, port, '--http-port');
  }

  /** Stops listening, tells clients to go and finishes what was accepted. Resolves when the last connection has ended. */
  drain(): Promise<void> {
    this.#draining = true;
    return new Promise((resolve) => {
      // Not the close of node:http: it takes a connection for idle, and cuts it off, whose answer is written but has not left yet; and it
      // stops looking for requests that take too long.
      TcpServer.prototype.close.call(this.#server, () => resolve());
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
    this.#server.closeAllConnections();
  }

  #accept(socket: Socket): void {
    this.#connections.set(socket, { exchanges: new Set(), quietAtBytes: 0 });
    socket.once('close', () => this.#connections.delete(socket));
    // One listener per pipelined request is no leak.
    socket.setMaxListeners(0);
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
      connection.exchanges.add(exchange);
      exchange.onEnd(() => {
        connection.exchanges.delete(exchange);
        onQuiet();
      });
      // Some answers do not wait for the body.
      request.once('end', onQuiet);
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
    // An answer that is under way, or owed to an earlier request, must not be mixed with this one.
    const owed = [...(this.#connections.get(socket)?.exchanges ?? [])];
    const mayAnswer = owed.length === 0 || (owed.length === 1 && owed[0]?.isArriving === true);
    if (answer === undefined || !socket.writable || !mayAnswer) {
      socket.destroy();
      return;
    }
    socket.write(rawErrorResponse(answer));
    socket.destroySoon();
  }
}

/** Idle: every answer has left, and no part of another request has come. */
function closeWhenIdle(socket: Socket, { exchanges, quietAtBytes }: Connection): void {
  if (exchanges.size === 0 && socket.bytesRead === quietAtBytes) socket.destroySoon();
}
