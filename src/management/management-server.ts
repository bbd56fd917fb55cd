/** The management port: probes and metrics, answered by the main thread, which never does anything heavy. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { HealthSnapshot } from '../bridge/health-snapshot.js';
import { probeAnswer } from '../bridge/probe-answers.js';
import { listen } from './listen.js';
import type { Logger } from '../telemetry/log.js';

export interface ManagementOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly health: () => HealthSnapshot;
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
  readonly log: Logger;
}

/** Scrapers and kubelets only: far more than they need, and few enough that nobody can fill the main thread's memory. */
const MAX_CONNECTIONS = 256;

export class ManagementServer {
  readonly #options: ManagementOptions;
  readonly #server: Server;

  constructor(options: ManagementOptions) {
    this.#options = options;
    this.#server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 75_000 }, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        options.log.error({ err: error }, 'the management port could not answer');
        if (response.headersSent) response.destroy();
        else reply(response, 500, JSON.stringify({ error: 'internal error' }));
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** The port that is listened on. Throws ERR_PORT_BUSY, ERR_CONFIG_OPTION. */
  listen(): Promise<number> {
    const { host, port } = this.#options;
    return listen(this.#server, host, port, '--metrics-port');
  }

  /** Closes at once. May be repeated. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const isMetrics = path === '/metrics' || path === '/metrics/';
    const probe = isMetrics ? undefined : probeAnswer(path, this.#options.health());
    if (!isMetrics && probe === undefined) {
      return reply(response, 404, JSON.stringify({ error: 'Not Found: the management port has /metrics and the health probes' }));
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return reply(response, 405, JSON.stringify({ error: 'Method Not Allowed' }));
    }
    if (probe !== undefined) return reply(response, probe.status, probe.body);
    const { metrics } = this.#options;
    reply(response, 200, await metrics.metrics(), metrics.contentType);
  }
}

function reply(response: ServerResponse, status: number, body: string, contentType = 'application/json'): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' });
  response.end(body);
}
