import { setTimeout as sleep } from 'node:timers/promises';
import { status, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BalancedLoad } from '../support/balanced-load.js';
import { productModel } from '../support/big-model.js';
import { GrpcClient, HttpClient, type GrpcInferResponse } from '../support/clients.js';
import { CountedLoad } from '../support/counted-load.js';
import { DistantServer } from '../support/distant-server.js';
import { Http2GrpcClient } from '../support/http2-grpc.js';
import { logLines } from '../support/log-lines.js';
import { modelFolder } from '../support/model-folder.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { slowInputs, slowRequest, untilInFlight } from '../support/slow-model.js';
import { fp32, int32, int64 } from '../support/tensors.js';

const ENDLESS = 1_000_000_000n;

interface Running {
  readonly server: ServerProcess;
  readonly http: HttpClient;
  readonly grpc: GrpcClient;
}

async function start(...flags: readonly string[]): Promise<Running> {
  const server = await ServerProcess.start({ repositories: [shippedModels, fixtureModels], flags });
  const running = { server, http: new HttpClient(server.httpUrl), grpc: new GrpcClient(server.grpcAddress) };
  onTestFinished(async () => {
    running.grpc.close();
    await running.http.pool.destroy();
    await server.stop();
  });
  return running;
}

/** The exit code, and the milliseconds from now until the process has ended. */
async function exitAfter(server: ServerProcess, signal: NodeJS.Signals): Promise<{ code: number | null; ms: number }> {
  const signalled = performance.now();
  server.child.kill(signal);
  const code = await server.exited;
  return { code, ms: performance.now() - signalled };
}

/** Iterations of `slow` that take about so long on this machine, now. */
async function iterationsFor(grpc: GrpcClient, ms: number): Promise<bigint> {
  let iterations = 100n;
  for (;;) {
    const started = performance.now();
    await grpc.infer(slowRequest(iterations));
    const took = performance.now() - started;
    if (took > 100) return BigInt(Math.round((Number(iterations) * ms) / took));
    iterations *= 4n;
  }
}

describe('SIGTERM under load', () => {
  it('fails no request of clients whose balancer follows readiness', async () => {
    const { server, http, grpc } = await start('--drain-delay-secs', '1.5');
    const load = new BalancedLoad(server, 1000);
    const values = Array<number>(16).fill(1);
    const sums = [int32('INPUT0', [1, 16], values), int32('INPUT1', [1, 16], values)];
    const picture = [fp32('image', [1, 1, 8, 8], Array<number>(64).fill(0))];
    for (let i = 0; i < 4; i++) {
      load.add(() => http.inferBinary('add_sub', sums));
      load.add(() => grpc.inferRaw('digits', picture));
      // A new connection each time, as clients without keep-alive make it.
      load.add(() => http.request('GET', '/v2/models/digits/ready', undefined, { connection: 'close' }));
    }
    await sleep(500);
    const signalled = performance.now();
    const { code, ms } = await exitAfter(server, 'SIGTERM');
    await load.done();
    expect(load.failures).toEqual([]);
    expect(load.answered).toBeGreaterThan(100);
    expect(load.answeredWhileNotReady).toBeGreaterThan(20);
    expect((load.notReadyAtMs ?? Infinity) - signalled).toBeLessThan(500);
    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(1400);
    expect(ms).toBeLessThan(5000);
  });
});

describe('SIGTERM, with clients that are 20 ms away and stay on their connections', () => {
  it('tells each of them to go while it still serves, and fails none of their requests', async () => {
    const { server } = await start('--drain-delay-secs', '1.5');
    const http = await DistantServer.open(`127.0.0.1:${server.ports.http}`, 20);
    const grpc = await DistantServer.open(server.grpcAddress, 20);
    onTestFinished(() => [http, grpc].forEach((one) => one.close()));
    let mayConnect = true;
    const load = new CountedLoad({ http: http.address, grpc: grpc.address, mayConnect: () => mayConnect, pauseMs: 0 });
    for (let i = 0; i < 4; i++) load.addHttp();
    for (let i = 0; i < 4; i++) load.addGrpc(16);
    await sleep(500);
    mayConnect = false;
    const exited = exitAfter(server, 'SIGTERM');
    await sleep(1000);
    // With half a second left.
    expect(load.toldToGo).toBe(4);
    expect(load.grpcClients.map(({ toldToGo }) => toldToGo)).toEqual([1, 1, 1, 1]);
    await load.done();
    expect(load.failures).toEqual([]);
    expect([load.answered.http > 0, load.answered.grpc > 100]).toEqual([true, true]);
    expect((await exited).code).toBe(0);
  });

  it('does not disturb the last call of a client that has said itself that it goes', async () => {
    const { server, grpc } = await start('--drain-delay-secs', '1');
    const iterations = await iterationsFor(grpc, 1500);
    const leaving = new Http2GrpcClient(server.grpcAddress);
    const answer = leaving.call<GrpcInferResponse>('ModelInfer', slowRequest(iterations));
    await untilInFlight(server, 1);
    leaving.close();
    await sleep(300);
    const exited = exitAfter(server, 'SIGTERM');
    expect((await answer)?.outputs).toHaveLength(1);
    expect((await exited).code).toBe(0);
  });

  it('serves clients who come during the drain delay, and tells them after a call', async () => {
    const { server } = await start('--drain-delay-secs', '2');
    const exited = exitAfter(server, 'SIGTERM');
    await sleep(500);
    const load = new CountedLoad({ http: `127.0.0.1:${server.ports.http}`, grpc: server.grpcAddress, pauseMs: 0 });
    load.addGrpc(4);
    await sleep(1000);
    await load.stop();
    expect(load.failures).toEqual([]);
    const { connections, toldToGo } = load.grpcClients[0] ?? { connections: 0, toldToGo: 0 };
    expect([connections - toldToGo <= 1, toldToGo > 1, connections < 20]).toEqual([true, true, true]);
    expect((await exited).code).toBe(0);
  });
});

describe('a drain', () => {
  it('turns readiness off at once on both ports and keeps liveness', async () => {
    const { server, http, grpc } = await start('--drain-delay-secs', '1');
    const exited = exitAfter(server, 'SIGTERM');
    await sleep(300);
    const probe = async (url: string): Promise<number> => (await fetch(url)).status;
    expect(await probe(`${server.managementUrl}/ready`)).toBe(503);
    expect(await probe(`${server.httpUrl}/ready`)).toBe(503);
    expect(await probe(`${server.httpUrl}/v2/health/ready`)).toBe(503);
    expect(await probe(`${server.managementUrl}/health`)).toBe(200);
    await expect(grpc.call('ServerReady', {})).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(await grpc.call('Check', {}, {}, 'grpc.health.v1.Health')).toEqual({ status: 'NOT_SERVING' });
    // Still serving, and telling clients to go.
    const answer = await http.get('/v2/models/digits/ready');
    expect([answer.status, answer.headers['connection']]).toEqual([200, 'close']);
    expect((await exited).code).toBe(0);
  });

  it('lets requests that are running finish', async () => {
    const { server, http, grpc } = await start();
    const iterations = await iterationsFor(grpc, 1000);
    const answers = Promise.all([http.inferBinary('slow', slowInputs(iterations)), grpc.inferRaw('slow', slowInputs(iterations))]);
    await untilInFlight(server, 2);
    const { code } = await exitAfter(server, 'SIGTERM');
    for (const [output] of await answers) expect(output).toMatchObject({ name: 'y', shape: [1, 64, 64] });
    expect(code).toBe(0);
    expect(logLines(server).some(({ level }) => level === 'warn')).toBe(false);
  });

  it('ends what is still running after --exit-timeout-secs, tells its clients, and exits with 0', async () => {
    const { server, http, grpc } = await start('--exit-timeout-secs', '1');
    const refused = Promise.all([
      http.inferBinary('slow', slowInputs(ENDLESS)).then(
        () => 'answered',
        (error: Error) => error.message,
      ),
      grpc.inferRaw('slow', slowInputs(ENDLESS)).then(
        () => 'answered',
        (error: ServiceError) => `gRPC ${status[error.code]}: ${error.details}`,
      ),
    ]);
    await untilInFlight(server, 2);
    const { code, ms } = await exitAfter(server, 'SIGTERM');
    expect(await refused).toEqual(['HTTP 503: {"error":"Server exiting"}', 'gRPC UNAVAILABLE: Server exiting']);
    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(900);
    expect(ms).toBeLessThan(4000);
    expect(logLines(server).find(({ level }) => level === 'warn')?.msg).toBe('the exit timeout is over; requests in flight are cancelled');
  });

  it('is not held up by a run that nothing can interrupt', async () => {
    const product = modelFolder({ 'product/1/model.onnx': productModel() });
    const server = await ServerProcess.start({ repositories: [product], flags: ['--exit-timeout-secs', '0.2'] });
    const http = new HttpClient(server.httpUrl);
    onTestFinished(() => http.pool.destroy());
    onTestFinished(() => void server.child.kill('SIGKILL'));
    const SIDE = 9000n; // 1.5e12 steps: tens of seconds
    void http.inferBinary('product', [int64('shape', [2], [SIDE, SIDE])]).catch(() => {});
    await untilInFlight(server, 1);
    await sleep(300); // Let it reach the product.
    const { code, ms } = await exitAfter(server, 'SIGTERM');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(6000);
  });

  it('is not held up by idle connections and open streams', async () => {
    const { server, http, grpc } = await start();
    await http.get('/ready');
    const { path, requestSerialize, responseDeserialize } = grpc.method('Watch', 'grpc.health.v1.Health');
    const stream = grpc.raw.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: '' });
    await new Promise((resolve) => stream.once('data', resolve));
    const { code, ms } = await exitAfter(server, 'SIGTERM');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(3000);
  });
});

describe('the drain delay', () => {
  it('is cut short by a second SIGTERM', async () => {
    const { server } = await start('--drain-delay-secs', '30');
    server.child.kill('SIGTERM');
    await sleep(300);
    expect(server.child.exitCode).toBeNull();
    const { code, ms } = await exitAfter(server, 'SIGTERM');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(3000);
  });

  it('is left out after SIGINT', async () => {
    const { server } = await start('--drain-delay-secs', '30');
    const { code, ms } = await exitAfter(server, 'SIGINT');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(3000);
  });
});
