/** A KServe V2 server that is not ours: it passes requests on to one of ours, later, elsewhere, under another name, or not at all. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProxyOptions {
  /** Of the server that answers. */
  readonly url: string;
  /** Milliseconds by which answers to inference requests are late. */
  readonly delayMs?: number;
  /** Refuses binary tensors, as servers without that extension do. */
  readonly isJsonOnly?: boolean;
  /** Before the protocol's own paths. */
  readonly prefix?: string;
  /** What `digits` is called here. */
  readonly model?: string;
  /** Inference requests until the process is as good as gone. */
  readonly diesAfter?: number;
  /** Of an inference, as text. */
  readonly change?: (answer: string) => string;
}

export class KserveProxy {
  readonly url: string;
  readonly #close: () => void;

  private constructor(url: string, close: () => void) {
    this.url = url;
    this.#close = close;
  }

  static async start(options: ProxyOptions): Promise<KserveProxy> {
    const { prefix = '', diesAfter = Infinity } = options;
    let inferences = 0;
    const server = createServer((request, response) => {
      if (request.method === 'POST' && ++inferences > diesAfter) return close();
      pass(request, response, options).catch(() => response.destroy());
    });
    const close = (): void => {
      server.close();
      server.closeAllConnections();
    };
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new KserveProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`, close);
  }

  stop(): void {
    this.#close();
  }
}

async function pass(request: IncomingMessage, response: ServerResponse, options: ProxyOptions): Promise<void> {
  const { url, prefix = '', model = 'digits', delayMs = 0, isJsonOnly = false, change = (answer) => answer } = options;
  const path = request.url ?? '';
  if (!path.startsWith(`${prefix}/`)) return void response.writeHead(404).end();
  const body = await buffer(request);
  const type = request.headers['content-type'] ?? 'application/json';
  if (isJsonOnly && type !== 'application/json') return void response.writeHead(415).end('{"error": "send JSON"}');
  const given = new URL(path.slice(prefix.length).replace(`/models/${model}`, '/models/digits'), url);
  const jsonBytes = request.headers['inference-header-content-length'];
  const headers = { 'Content-Type': type, ...(typeof jsonBytes === 'string' ? { 'Inference-Header-Content-Length': jsonBytes } : {}) };
  const isPost = request.method === 'POST';
  const answer = await fetch(given, isPost ? { method: 'POST', body, headers } : {});
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (isPost) await sleep(delayMs);
  const size = answer.headers.get('inference-header-content-length');
  if (size !== null) response.setHeader('Inference-Header-Content-Length', size);
  response.writeHead(answer.status).end(isPost ? Buffer.from(change(bytes.toString('latin1')), 'latin1') : bytes);
}
