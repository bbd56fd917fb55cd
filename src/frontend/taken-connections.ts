/** The connections of one port that the accept thread hands to this front-end thread, as sockets. */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { takeConnections, type NativeConnections, type NativePortName } from '../bridge/ports.js';

export class TakenConnections {
  readonly #native: NativeConnections;

  /** `allowHalfOpen`: an answer may still be sent to a client that has ended its side. */
  constructor(port: NativePortName, thread: number, allowHalfOpen: boolean, onSocket: (socket: Socket) => void) {
    this.#native = takeConnections(port, thread, (fd) => {
      let socket: Socket;
      try {
        socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen });
      } catch (error) {
        closeSync(fd);
        this.#native.ended();
        throw error;
      }
      socket.once('close', () => this.#native.ended());
      onSocket(socket);
    });
  }

  /** Nothing comes any more. May be repeated. */
  close(): void {
    this.#native.close();
  }
}
