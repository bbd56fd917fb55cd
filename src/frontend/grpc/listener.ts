/** gRPC on the connections that one front-end thread has: handed to grpc-js, which need not know where they come from. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Server, ServerCredentials, type ConnectionInjector } from '@grpc/grpc-js';
import type { Inference } from '../../bridge/inference.js';
import type { FrontEndOptions } from '../../bridge/thread-messages.js';
import type { HealthWatch } from '../health-watch.js';
import type { RequestLog } from '../request-log.js';
import { DecryptedStream } from './decrypted-stream.js';
import { loadDefinitions } from './definitions.js';
import { GoingAway } from './going-away.js';
import { HealthService } from './health.js';
import { addReflection } from './reflection.js';
import { inferenceService } from './service.js';

/** What the 32-bit frame header of clients allows for. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;
/** Pings find clients that vanished without a word; their connections count against the limit until then. */
const KEEPALIVE_TIME_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
/** Length of the HTTP/2 connection preface: who has not sent that much has said nothing. */
const PREFACE_BYTES = 24;

export class GrpcListener {
  readonly #options: FrontEndOptions;
  readonly #grpc: Server;
  readonly #injector: ConnectionInjector;
  readonly #health: HealthService;
  readonly #sockets = new Set<Socket>();
  readonly #goingAway: GoingAway;
  #onEmpty: () => void = () => {};

  constructor(options: FrontEndOptions, inference: Inference, health: HealthWatch, log: RequestLog) {
    this.#options = options;
    this.#health = new HealthService(health);
    this.#grpc = new Server({
      'grpc.max_receive_message_length': Math.min(options.maxRequestBytes, MAX_MESSAGE_BYTES),
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': options.maxConcurrentStreams,
      'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.enable_channelz': 0,
    });
    const definitions = loadDefinitions();
    const service = inferenceService(definitions.inference, inference, options.serverVersion, log);
    this.#grpc.addService(service.definition, service.implementation);
    this.#grpc.addService(definitions.health, this.#health.implementation);
    addReflection(this.#grpc, definitions.all);
    this.#goingAway = new GoingAway(this.#grpc);
    health.whileExiting(() => this.#goingAway.tell());
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /** Serves a connection. */
  accept(socket: Socket): void {
    this.#sockets.add(socket);
    // HTTP/2 has no timeout for its preface; idle connections that spoke once are found by keep-alive pings.
    const { headersTimeoutMs } = this.#options;
    const endSilent = (): void => {
      if (socket.bytesRead < PREFACE_BYTES) socket.destroy();
    };
    const silence = headersTimeoutMs > 0 ? setTimeout(endSilent, headersTimeoutMs) : undefined;
    socket.once('close', () => {
      clearTimeout(silence);
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onEmpty();
    });
    this.#injector.injectConnection(socket instanceof TLSSocket ? new DecryptedStream(socket) : socket);
    this.#goingAway.add(socket);
  }

  /** Sends GOAWAY and finishes the calls that were accepted. Resolves when the last connection has ended. */
  drain(): Promise<void> {
    this.#health.close();
    this.#goingAway.close();
    this.#grpc.tryShutdown(() => {});
    if (this.#sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      for (const socket of this.#sockets) if (socket.bytesRead < PREFACE_BYTES) socket.destroy();
    });
  }

  /** Closes every connection now. May be repeated. */
  destroy(): void {
    this.#health.close();
    this.#grpc.forceShutdown();
    // Without channelz grpc-js 1.14 keeps no list of sessions for forceShutdown to end.
    for (const socket of this.#sockets) socket.destroy();
  }
}
