/** The notice that tells a gRPC client to take its next calls elsewhere, while those on their way are still served. */
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';

/**
 * A GOAWAY frame (RFC 9113, 6.8) without an error, whose last stream is the highest there can be: it refuses nothing.
 * Written past node:http2, whose own `goaway` makes nghttp2 ignore every stream that arrives afterwards, whatever number it was given; their
 * callers would wait for the end of the connection. node:http2 hands whole frames to the socket, so this one is never inside another.
 */
const NOTICE = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** Old enough for the server's SETTINGS, which must come first, and for the first call of a client who knows no other server. */
const MIN_AGE_MS = 200;

/** What grpc-js 1.14 keeps for itself; another may keep it elsewhere. */
interface ServerInternals {
  readonly http2Servers?: ReadonlyMap<unknown, { readonly sessions?: ReadonlySet<ServerHttp2Session> }>;
}

export class GoingAway {
  readonly #grpc: ServerInternals;
  readonly #openedAtMs = new Map<Socket, number>();

  constructor(grpc: Server) {
    this.#grpc = grpc as unknown as ServerInternals;
  }

  /** Takes a connection that `grpc` has just been given. */
  add(socket: Socket): void {
    const [server] = this.#grpc.http2Servers?.values() ?? [];
    const session = [...(server?.sessions ?? [])].at(-1);
    if (session === undefined) return;
    this.#openedAtMs.set(socket, performance.now());
    const forget = (): void => void this.#openedAtMs.delete(socket);
    socket.once('close', forget);
    // A client that has said so itself was answered in kind, with its last stream; a notice with a higher one would be a protocol error.
    session.once('goaway', forget);
  }

  /** Tells every client that has not been told yet. To be repeated, for connections that are too young now or come later. */
  tell(): void {
    const before = performance.now() - MIN_AGE_MS;
    for (const [socket, openedAtMs] of this.#openedAtMs) {
      // Not to one whose HTTP/2 has not begun.
      if (openedAtMs > before || socket.bytesRead === 0) continue;
      this.#openedAtMs.delete(socket);
      if (socket.writable) socket.write(NOTICE);
    }
  }

  /** Nobody is told any more: to be called before anything else sends GOAWAY, whose last stream a later one must not exceed. */
  close(): void {
    this.#openedAtMs.clear();
  }
}
