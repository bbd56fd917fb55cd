/**
 * An HTTPS server that models are pulled from, on a free port of this process. Its certificate is its own authority:
 * `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=penstock-test
 * -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out certificate.pem`
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { repositoryRoot } from './server-process.js';

const folder = join(repositoryRoot, 'test/fixtures/tls');
export const certificatePath = join(folder, 'certificate.pem');

/** `count`: how many requests there were, this one included. */
export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

export class ModelHost {
  /** The headers of each request, in order. */
  readonly requests: IncomingMessage['headers'][] = [];
  /** Bytes of bodies that were handed to a socket. */
  sentBytes = 0;
  readonly #server: Server;

  private constructor(answer: Answer) {
    const credentials = { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(certificatePath) };
    this.#server = createServer(credentials, (request, response) => {
      this.requests.push(request.headers);
      answer(request, response, this.requests.length);
    });
  }

  /** Gone with the test. */
  static async start(answer: (host: ModelHost) => Answer): Promise<ModelHost> {
    const host: ModelHost = new ModelHost((...args) => answer(host)(...args));
    await once(host.#server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      host.#server.closeAllConnections();
      host.#server.close();
    });
    return host;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path: string): string {
    return `https://localhost:${this.port}${path}`;
  }

  /**
   * Sends a file as a good server does: ranges, and the whole for a validator that is not its own. `cutAfterBytes` of the answer the
   * connection is cut; `stallAfterBytes` nothing more is sent.
   */
  send(
    request: IncomingMessage,
    response: ServerResponse,
    file: Buffer,
    { etag, cutAfterBytes, stallAfterBytes }: { etag?: string; cutAfterBytes?: number; stallAfterBytes?: number } = {},
  ): void {
    const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
    const condition = request.headers['if-range'];
    const isRange = first !== undefined && (condition === undefined || condition === etag);
    const start = isRange ? Number(first) : 0;
    if (etag !== undefined) response.setHeader('etag', etag);
    if (isRange && start >= file.length) return void response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end();
    if (isRange) response.setHeader('content-range', `bytes ${start}-${file.length - 1}/${file.length}`);
    response.writeHead(isRange ? 206 : 200, { 'content-length': file.length - start });
    const body = file.subarray(start, start + (cutAfterBytes ?? stallAfterBytes ?? file.length));
    this.sentBytes += body.length;
    if (cutAfterBytes !== undefined) response.write(body, () => response.socket?.destroy());
    else if (stallAfterBytes !== undefined) response.write(body);
    else response.end(body);
  }
}
