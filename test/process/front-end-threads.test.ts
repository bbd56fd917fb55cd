import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { status, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BalancedLoad } from '../support/balanced-load.js';
import { GrpcClient, HttpClient } from '../support/clients.js';
import { logLines } from '../support/log-lines.js';
import { MetricsPage } from '../support/prometheus.js';
import { repositoryRoot, ServerProcess, type StartOptions } from '../support/server-process.js';
import { int32 } from '../support/tensors.js';

const VALUES = Array<number>(16).fill(1);
const INPUTS = [int32('INPUT0', [1, 16], VALUES), int32('INPUT1', [1, 16], VALUES)];
const tensor = (name: string): object => ({ name, datatype: 'INT32', shape: [1, 16], data: VALUES });
const BODY = JSON.stringify({ inputs: [tensor('INPUT0'), tensor('INPUT1')] });
const REQUEST = `POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

async function start(threads: number, options: StartOptions = {}): Promise<ServerProcess> {
  const flags = ['--front-end-threads', String(threads), ...(options.flags ?? [])];
  const server = await ServerProcess.start({ ...options, flags });
  onTestFinished(() => void server.stop());
  return server;
}

/** One HTTP connection that makes requests one after the other, so that it is never without one. */
class BusyConnection {
  readonly socket: Socket;
  answers = 0;
  /** An answer that was not 200. */
  failure: string | undefined;
  closed = false;
  #received = '';

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1', () => this.socket.write(REQUEST));
    this.socket.on('error', () => {});
    this.socket.once('close', () => (this.closed = true));
    this.socket.on('data', (data: Buffer) => this.#read(data.toString('latin1')));
    onTestFinished(() => void this.socket.destroy());
  }

  /** Resolves when there is one more answer; rejects when the connection is closed. */
  async next(withinMs = 10_000): Promise<void> {
    const before = this.answers;
    await vi.waitFor(() => expect([this.answers > before, this.closed]).toEqual([true, false]), withinMs);
  }

  #read(text: string): void {
    this.#received += text;
    const [head = '', rest] = this.#received.split('\r\n\r\n', 2);
    if (rest === undefined || rest.length < Number(/content-length: (\d+)/i.exec(head)?.[1])) return;
    if (!head.startsWith('HTTP/1.1 200 ')) this.failure = head;
    this.answers++;
    this.#received = '';
    this.socket.write(REQUEST);
  }
}

/** One gRPC connection that makes calls one after the other until one fails. */
class BusyClient {
  readonly #client: GrpcClient;
  answers = 0;
  #stopped = false;

  constructor(address: string) {
    this.#client = new GrpcClient(address, { 'grpc.use_local_subchannel_pool': 1 });
    void this.#loop();
    onTestFinished(() => this.stop());
  }

  stop(): void {
    this.#stopped = true;
    this.#client.close();
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      await this.#client.inferRaw('add_sub', INPUTS).then(
        () => this.answers++,
        () => (this.#stopped = true),
      );
    }
  }
}

const busyHttp = (server: ServerProcess, count: number): BusyConnection[] =>
  Array.from({ length: count }, () => new BusyConnection(server.ports.http));
const busyGrpc = (server: ServerProcess, count: number): BusyClient[] =>
  Array.from({ length: count }, () => new BusyClient(server.grpcAddress));

async function untilAllAnswer(clients: readonly { readonly answers: number }[], more = 3): Promise<void> {
  const before = clients.map(({ answers }) => answers);
  await vi.waitFor(() => expect(clients.filter(({ answers }, i) => answers < (before[i] ?? 0) + more)).toEqual([]), 20_000);
}

/** Connections of each thread, from the metrics. */
async function share(server: ServerProcess, protocol: 'http' | 'grpc'): Promise<number[]> {
  return (await MetricsPage.of(server.managementUrl)).all('penstock_connections', { protocol }).map(({ value }) => value);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

describe.each([2, 4])('%d front-end threads', (threads) => {
  it('share 64 connections of each protocol, none with more than 1.25 times its part', async () => {
    const server = await start(threads);
    await untilAllAnswer([...busyHttp(server, 64), ...busyGrpc(server, 64)], 1);
    for (const protocol of ['http', 'grpc'] as const) {
      const shares = await share(server, protocol);
      expect([protocol, shares.length, sum(shares)]).toEqual([protocol, threads, 64]);
      expect(Math.max(...shares)).toBeLessThanOrEqual((64 / threads) * 1.25);
    }
  });
});

/** JavaScript threads that serve the ports themselves, the oldest of which SIGUSR2 kills. */
const MORTAL: StartOptions = {
  nodeFlags: ['--import', join(repositoryRoot, 'test/process/scenarios/kill-switch.mjs')],
  flags: ['--front-end', 'js'],
};

/**
 * A gRPC connection with a call open that says nothing while it waits. (Node 20 aborts the whole process when a thread is terminated while
 * node:http2 hands it the data of a new call, so these tests kill no thread that is receiving calls.)
 */
class WatchingClient {
  readonly #client: GrpcClient;
  seen = 0;
  failure: ServiceError | undefined;

  constructor(address: string) {
    this.#client = new GrpcClient(address, { 'grpc.use_local_subchannel_pool': 1 });
    const { path, requestSerialize, responseDeserialize } = this.#client.method('Watch', 'grpc.health.v1.Health');
    const stream = this.#client.raw.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: '' });
    stream.on('data', () => this.seen++);
    stream.on('error', (error) => (this.failure = error as ServiceError));
    onTestFinished(() => this.#client.close());
  }

  infer(): Promise<unknown> {
    return this.#client.inferRaw('add_sub', INPUTS);
  }
}

describe('a front-end thread that dies', () => {
  it('takes only its own connections with it, and is replaced by one that takes new ones', async () => {
    const server = await start(4, MORTAL);
    const http = busyHttp(server, 64);
    const grpc = Array.from({ length: 32 }, () => new WatchingClient(server.grpcAddress));
    await untilAllAnswer(http);
    await vi.waitFor(() => expect(grpc.filter(({ seen }) => seen === 0)).toEqual([]), 10_000);
    expect([await share(server, 'http'), await share(server, 'grpc')]).toEqual([Array(4).fill(16), Array(4).fill(8)]);

    server.child.kill('SIGUSR2');
    await vi.waitFor(() => expect(http.filter(({ closed }) => closed)).toHaveLength(16), 10_000);
    await vi.waitFor(() => expect(grpc.filter(({ failure }) => failure !== undefined)).toHaveLength(8), 10_000);
    const others = http.filter(({ closed }) => !closed);
    await untilAllAnswer(others);
    await vi.waitFor(async () => expect(await share(server, 'http')).toHaveLength(4), 10_000);
    expect(others.filter(({ closed, failure }) => closed || failure !== undefined)).toEqual([]);
    expect(grpc.filter(({ failure }) => failure !== undefined && failure.code !== status.UNAVAILABLE)).toEqual([]);

    const next = busyHttp(server, 16);
    await untilAllAnswer(next);
    expect(await share(server, 'http')).toEqual([16, 16, 16, 16]);
    await Promise.all(grpc.map((client) => client.infer()));
    expect(grpc.filter(({ failure }) => failure !== undefined)).toHaveLength(8);
    const lines = logLines(server);
    expect(lines.filter(({ msg }) => msg.startsWith('a front-end thread died'))).toHaveLength(1);
    // The other three have served everybody else all along, so the server stayed ready.
    const messages = lines.map(({ msg }) => msg);
    expect(messages.slice(messages.indexOf('ready'))).not.toContain('not ready');
  });

  it('again and again ends the server with 70', async () => {
    const server = await start(2, MORTAL);
    for (let deaths = 1; deaths < 5; deaths++) {
      server.child.kill('SIGUSR2');
      const died = (): number => logLines(server).filter(({ msg }) => msg.startsWith('a front-end thread died')).length;
      await vi.waitFor(() => expect(died()).toBe(deaths), 10_000);
    }
    expect(server.child.exitCode).toBeNull();
    server.child.kill('SIGUSR2');
    expect(await server.exited).toBe(70);
    expect(logLines(server).at(-1)?.msg).toBe('5 front-end threads died within 60 s');
  });
});

describe('the limit of connections', () => {
  it('holds for all threads together, and for each port by itself', async () => {
    const server = await start(2, { flags: ['--max-connections', '5'] });
    const held = busyHttp(server, 5);
    await untilAllAnswer(held, 1);
    const refused = new BusyConnection(server.ports.http);
    await vi.waitFor(() => expect(refused.closed).toBe(true), 10_000);
    expect(refused.answers).toBe(0);
    await untilAllAnswer(busyGrpc(server, 1), 1);
    held[0]?.socket.destroy();
    await vi.waitFor(async () => expect(sum(await share(server, 'http'))).toBe(4), 10_000);
    await new BusyConnection(server.ports.http).next();
  });
});

describe('SIGTERM under load', () => {
  it('fails no request on any of several threads', async () => {
    const server = await start(3, { flags: ['--drain-delay-secs', '1'] });
    const load = new BalancedLoad(server, 600);
    const http = new HttpClient(server.httpUrl);
    onTestFinished(() => http.pool.destroy());
    for (let i = 0; i < 6; i++) {
      const grpc = new GrpcClient(server.grpcAddress, { 'grpc.use_local_subchannel_pool': 1 });
      onTestFinished(() => grpc.close());
      load.add(() => grpc.inferRaw('add_sub', INPUTS));
      load.add(() => http.inferBinary('add_sub', INPUTS));
      load.add(() => http.request('GET', '/v2/models/add_sub/ready', undefined, { connection: 'close' }));
    }
    await vi.waitFor(() => expect(load.answered).toBeGreaterThan(100), 10_000);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    await load.done();
    expect(load.failures).toEqual([]);
    expect(load.answeredWhileNotReady).toBeGreaterThan(0);
  });
});

/** CPU time of the accept threads in seconds; the kernel counts in hundredths. */
function acceptCpuSeconds(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const accepting = readdirSync(tasks).filter((task) => readFileSync(`${tasks}/${task}/comm`, 'utf8').trim() === 'penstock-accept');
  const ticks = accepting.map((task) => {
    const fields = readFileSync(`${tasks}/${task}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  expect(ticks).toHaveLength(2);
  return sum(ticks) / 100;
}

describe('a process without a file descriptor left', () => {
  it('lets clients wait without spinning, and serves them when others have gone', async () => {
    const server = await start(2, { maxOpenFiles: 160 });
    const clients = busyHttp(server, 200);
    const answered = (): BusyConnection[] => clients.filter(({ answers }) => answers > 0);
    let before = -1;
    await vi.waitFor(
      () => {
        const now = answered().length;
        const settled = now > 0 && now === before;
        before = now;
        expect(settled).toBe(true);
      },
      { timeout: 10_000, interval: 300 },
    );
    const first = answered();
    expect(first.length).toBeLessThan(160);
    const cpuBefore = acceptCpuSeconds(server.child.pid ?? 0);
    await sleep(1000);
    expect(acceptCpuSeconds(server.child.pid ?? 0) - cpuBefore).toBeLessThan(0.2);
    expect(clients.filter(({ closed }) => closed)).toEqual([]);
    for (const { socket } of first) socket.destroy();
    await untilAllAnswer(
      clients.filter((client) => !first.includes(client)),
      1,
    );
  });
});
