import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, describe, it, onTestFinished, vi } from 'vitest';
import { GrpcClient, HttpClient } from '../support/clients.js';
import { logLines } from '../support/log-lines.js';
import { MetricsPage } from '../support/prometheus.js';
import { repositoryRoot, ServerProcess } from '../support/server-process.js';
import { int32 } from '../support/tensors.js';

const INPUTS = ['INPUT0', 'INPUT1'].map((name) => int32(name, [1, 16], Array<number>(16).fill(1)));
const SUM = int32('OUTPUT0', [1, 16], Array<number>(16).fill(2));

interface Running {
  readonly server: ServerProcess;
  readonly http: HttpClient;
  readonly grpc: GrpcClient;
}

async function start(scenario?: string, ...flags: string[]): Promise<Running> {
  const nodeFlags = scenario === undefined ? [] : ['--import', join(repositoryRoot, 'test/process/scenarios', scenario)];
  const server = await ServerProcess.start({ nodeFlags, flags: ['--front-end', 'native', '--front-end-threads', '2', ...flags] });
  const running = { server, http: new HttpClient(server.httpUrl, 1), grpc: new GrpcClient(server.grpcAddress) };
  onTestFinished(async () => {
    running.grpc.close();
    await running.http.pool.destroy();
    await server.stop();
  });
  return running;
}

const linesOf = (server: ServerProcess, start: string): number => logLines(server).filter(({ msg }) => msg.startsWith(start)).length;

describe('the native front end', () => {
  it('answers inference of both protocols while no JavaScript thread does anything', async () => {
    const { server, http, grpc } = await start('stand-still.mjs');
    server.child.kill('SIGUSR2');
    await vi.waitFor(() => expect(linesOf(server, 'stands still')).toBe(2), 10_000);
    let passedOn = 0;
    const others = new HttpClient(server.httpUrl, 1);
    onTestFinished(() => others.pool.destroy());
    void others.get('/v2').then(
      () => passedOn++,
      () => {},
    );
    void grpc.call('ServerLive', {}).then(
      () => passedOn++,
      () => {},
    );
    for (let i = 0; i < 10; i++) {
      expect((await http.inferBinary('add_sub', INPUTS))[0]).toEqual(SUM);
      expect((await grpc.inferRaw('add_sub', INPUTS))[0]).toEqual(SUM);
    }
    expect(passedOn).toBe(0);
    server.child.kill('SIGKILL');
  });

  it('loses nobody who asks for inference when a JavaScript thread dies, and passes on to the others and to the next one', async () => {
    const { server, http, grpc } = await start('kill-switch.mjs');
    const infer = async (): Promise<void> => {
      await Promise.all([http.inferBinary('add_sub', INPUTS), grpc.inferRaw('add_sub', INPUTS)]);
    };
    await infer();
    for (let deaths = 1; deaths <= 3; deaths++) {
      server.child.kill('SIGUSR2');
      await infer();
      await vi.waitFor(() => expect(linesOf(server, 'a front-end thread died')).toBe(deaths), 10_000);
      await infer();
      await vi.waitFor(async () => expect((await http.get('/v2')).status).toBe(200), 10_000);
      await vi.waitFor(async () => expect(await grpc.call('ServerLive', {})).toEqual({ live: true }), 10_000);
    }
    const page = await MetricsPage.of(server.managementUrl);
    const connections = page.all('penstock_connections', {});
    expect(connections.map(({ labels }) => labels)).toHaveLength(4);
    // One client each: what is passed on within the process is not counted.
    expect(connections.reduce((sum, { value }) => sum + value, 0)).toBe(2);
  });

  it('says that it serves, and drains what waits for JavaScript', async () => {
    const { server, http, grpc } = await start(undefined, '--exit-timeout-secs', '20');
    expect(logLines(server).find(({ front_end: kind }) => kind !== undefined)).toMatchObject({
      front_end: 'native',
      front_end_threads: 2,
      hand_off_threads: 2,
    });
    const { path, requestSerialize, responseDeserialize } = grpc.method('Watch', 'grpc.health.v1.Health');
    const seen: unknown[] = [];
    const stream = grpc.raw.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: '' });
    const streamEnded = new Promise((resolve) =>
      stream
        .on('data', (status) => seen.push(status))
        .on('error', resolve)
        .on('end', resolve),
    );
    // Chunks make a tunnel of its connection, which then idles.
    const tunnel = await chunkedExchange(server.ports.http);
    await http.get('/v2');
    await vi.waitFor(() => expect(seen).toHaveLength(1), 10_000);

    const signalled = performance.now();
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(performance.now() - signalled).toBeLessThan(15_000);
    await streamEnded;
    expect(seen.at(-1)).toEqual({ status: 'NOT_SERVING' });
    expect(linesOf(server, 'the exit timeout is over')).toBe(0);
    tunnel.destroy();
  });
});

/** A connection that stays open after its answer. */
async function chunkedExchange(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const answer = new Promise((resolve) => socket.once('data', resolve));
  socket.write('POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n');
  expect(String(await answer)).toMatch(/^HTTP\/1\.1 400 /);
  return socket;
}
