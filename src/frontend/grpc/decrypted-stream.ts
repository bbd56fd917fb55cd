/** What a TLS connection carries, for node:http2: as a stream of JavaScript, and not as a socket whose handle it would take over. */
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/**
 * node:http2 writes past a socket that it is given, straight to its handle; that of a TLS socket holds one write at a time, and the process
 * aborts (Node 20, TLSWrap) when anybody else, such as GoingAway, writes meanwhile. Through here all writes meet in the queue of the socket.
 * It has no ALPN either, of which node:http2 would demand that the client has used it.
 */
export class DecryptedStream extends Duplex {
  readonly #socket: TLSSocket;

  /** Ends and is destroyed with the socket, and the socket with it. */
  constructor(socket: TLSSocket) {
    super({ allowHalfOpen: socket.allowHalfOpen, emitClose: true });
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.once('end', () => this.push(null));
    socket.on('error', () => this.destroy());
    socket.once('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  /** In one go, so that the frames in the chunks stay whole. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    chunks.forEach(({ chunk }, index) => (index === chunks.length - 1 ? this.#socket.write(chunk, done) : this.#socket.write(chunk)));
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(_: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done();
  }
}
