/** TLS on the connections of one port that a front-end thread has. What comes out of it is served as a plain connection would be. */
import type { Socket } from 'node:net';
import { createServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls';
import type { NativePortName } from '../bridge/ports.js';
import type { ThreadTls } from '../bridge/thread-messages.js';
import { tlsContextOptions } from '../bridge/tls-context.js';

/** Spoken inside. A client that offers others only is refused by OpenSSL with no_application_protocol; one that offers none is served. */
const PROTOCOLS: Readonly<Record<NativePortName, string>> = { http: 'http/1.1', grpc: 'h2' };
/** How long a handshake may hold up the drain. */
const DRAIN_GRACE_MS = 250;
/** The longest that timers of Node count. node:tls takes 0 for its default of two minutes. */
const NEVER_MS = 2 ** 31 - 1;

export interface TlsConnectionsOptions {
  readonly port: NativePortName;
  readonly tls: ThreadTls;
  /** Milliseconds for the whole handshake; 0 = no limit. */
  readonly handshakeTimeoutMs: number;
}

/** What node:tls keeps for itself: the socket below. */
interface SocketInternals {
  readonly _parent?: Socket;
}

export class TlsConnections {
  readonly #server: Server;
  /** Sockets whose handshake has not ended. */
  readonly #pending = new Set<Socket>();
  #onSettled: () => void = () => {};

  /** `onSocket` gets each connection whose handshake has succeeded. */
  constructor({ port, tls, handshakeTimeoutMs }: TlsConnectionsOptions, onSocket: (socket: TLSSocket) => void) {
    // It never listens: connections are handed to it.
    this.#server = createServer({
      ...contextOptions(tls),
      requestCert: tls.material.clientCa !== '',
      rejectUnauthorized: true,
      ALPNProtocols: [PROTOCOLS[port]],
      handshakeTimeout: handshakeTimeoutMs > 0 ? handshakeTimeoutMs : NEVER_MS,
    });
    this.#server.on('secureConnection', (socket) => {
      onSocket(socket);
      const below = (socket as SocketInternals)._parent;
      if (below !== undefined) this.#settle(below);
    });
    // Not TLS, not ours, or too slow: node:tls leaves it to us to close some of them.
    this.#server.on('tlsClientError', (_, socket) => socket.destroy());
  }

  /** Begins the handshake. */
  accept(socket: Socket): void {
    this.#pending.add(socket);
    socket.once('close', () => this.#settle(socket));
    this.#server.emit('connection', socket);
  }

  /** For connections that come from now on. Whether clients need a certificate stays as it was. */
  set(tls: ThreadTls): void {
    this.#server.setSecureContext(contextOptions(tls));
  }

  /** Resolves when no handshake is under way: what is has a moment to end, as a client that has just connected has a request to send. */
  drain(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const late = setTimeout(() => this.destroy(), DRAIN_GRACE_MS);
      this.#onSettled = () => {
        clearTimeout(late);
        resolve();
      };
    });
  }

  /** Closes the connections whose handshake has not ended. May be repeated. */
  destroy(): void {
    for (const socket of this.#pending) socket.destroy();
  }

  #settle(socket: Socket): void {
    if (this.#pending.delete(socket) && this.#pending.size === 0) this.#onSettled();
  }
}

function contextOptions({ material, ticketKeys }: ThreadTls): TlsOptions {
  return { ...tlsContextOptions(material), ticketKeys: Buffer.from(ticketKeys) };
}
