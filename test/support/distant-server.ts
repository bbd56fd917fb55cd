/** A way to a server that takes time, as a real network does: what one side says before it hears the other is then seen in tests. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class DistantServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** `address`: of the server; `delayMs`: one way. */
  static async open(address: string, delayMs: number): Promise<DistantServer> {
    const [host = '', port = ''] = address.split(':');
    const server = createServer({ allowHalfOpen: true });
    const distant = new DistantServer(server);
    server.on('connection', (client) => {
      const upstream = connect({ host, port: Number(port), allowHalfOpen: true });
      distant.#forward(client, upstream, delayMs);
      distant.#forward(upstream, client, delayMs);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return distant;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #forward(from: Socket, to: Socket, delayMs: number): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (chunk: Buffer) => setTimeout(() => to.write(chunk), delayMs));
    from.on('end', () => setTimeout(() => to.end(), delayMs));
    from.on('error', () => setTimeout(() => to.destroy(), delayMs));
    from.on('close', () => this.#sockets.delete(from));
  }
}
