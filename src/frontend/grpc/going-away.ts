/** The notice that tells a gRPC client to take its next calls elsewhere, while those on their way are still served. */
import type { Socket } from 'node:net';

/**
 * A GOAWAY frame (RFC 9113, 6.8) without an error, whose last stream is the highest there can be: it refuses nothing.
 * Written past node:http2, whose own `goaway` makes nghttp2 ignore every stream that arrives afterwards, whatever number it was given; their
 * callers would wait for the end of the connection. node:http2 hands whole frames to the socket, so this one is never inside another.
 */
const NOTICE = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** Old enough for the server's SETTINGS, which must come first, and for the first call of a client who knows no other server. */
const MIN_AGE_MS = 200;

export class GoingAway {
  readonly #openedAtMs = new Map<Socket, number>();

  add(socket: Socket): void {
    this.#openedAtMs.set(socket, performance.now());
    socket.once('close', () => this.#openedAtMs.delete(socket));
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
}
