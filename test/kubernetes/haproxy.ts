/** A real HAProxy in front of servers in fixed slots: one frontend for HTTP, one for gRPC, readiness as its health check, no second tries. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../support/free-ports.js';
import type { ServerPorts } from '../support/server-process.js';
import { toolEnvironment } from './tools.js';

/** Between two health checks of a server. One failure takes it out. */
export const CHECK_INTERVAL_MS = 200;

export class HaProxy {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #log: string[] = [];
  readonly httpAddress: string;
  readonly grpcAddress: string;

  private constructor(slots: readonly ServerPorts[], http: number, grpc: number) {
    this.#folder = mkdtempSync(join(tmpdir(), 'penstock-haproxy-'));
    this.httpAddress = `127.0.0.1:${http}`;
    this.grpcAddress = `127.0.0.1:${grpc}`;
    const file = join(this.#folder, 'haproxy.cfg');
    writeFileSync(file, this.#configuration(slots));
    this.#child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'], env: toolEnvironment });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (words: string) => this.#log.push(words));
    }
    const kill = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.#child.once('exit', () => process.removeListener('exit', kill));
  }

  static async start(slots: readonly ServerPorts[]): Promise<HaProxy> {
    const [http = 0, grpc = 0] = await freePorts(2);
    return new HaProxy(slots, http, grpc);
  }

  /** Waits until HTTP and gRPC requests go to exactly so many servers. */
  async untilUp(servers: number, withinMs = 10_000): Promise<void> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const up = await this.#upServers().catch(() => -1);
      if (up === 2 * servers) return;
      if (performance.now() > deadline) throw new Error(`${up} of twice ${servers} servers are up:\n${this.#log.join('')}`);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #socket(): string {
    return join(this.#folder, 'stats');
  }

  /** Of both backends together. */
  async #upServers(): Promise<number> {
    const socket = createConnection(this.#socket);
    socket.end('show stat\n');
    // Comma-separated: backend, server, ..., status at 17.
    const rows = (await text(socket)).split('\n').map((line) => line.split(','));
    return rows.filter((row) => row[1]?.startsWith('slot') === true && row[17]?.startsWith('UP') === true).length;
  }

  #configuration(slots: readonly ServerPorts[]): string {
    const check = `check inter ${CHECK_INTERVAL_MS}ms fall 1 rise 1`;
    return `
global
  stats socket ${this.#socket}
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout check 2s
  # A failure must be seen: by default a request that found no server is sent again, to another one.
  retries 0
  no option redispatch
  option httpchk GET /ready
  http-check expect status 200
frontend http
  bind ${this.httpAddress}
  default_backend http
frontend grpc
  bind ${this.grpcAddress} proto h2
  default_backend grpc
backend http
  balance roundrobin
${slots.map((slot, i) => `  server slot${i} 127.0.0.1:${slot.http} ${check} port ${slot.management}`).join('\n')}
backend grpc
  balance roundrobin
${slots.map((slot, i) => `  server slot${i} 127.0.0.1:${slot.grpc} proto h2 ${check} port ${slot.management} check-proto h1`).join('\n')}
`;
  }
}
