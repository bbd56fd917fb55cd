/** A port of the test's own, in the place of the accept thread: hands each connection on. */
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface LocalPort {
  readonly port: number;
  /** Connections stay. */
  close(): void;
}

export function openLocalPort(allowHalfOpen: boolean, onSocket: (socket: Socket) => void): Promise<LocalPort> {
  const server = createServer({ allowHalfOpen, noDelay: true }, onSocket);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ port: (server.address() as AddressInfo).port, close: () => void server.close() }));
  });
}
