/** gRPC calls that do not just go through: deadlines, cancellation, limits, health that changes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient, HttpClient } from '../support/clients.js';
import { fixtureModels, ServerProcess } from '../support/server-process.js';
import { slowRequest, untilInFlight } from '../support/slow-model.js';
import { binaryRequest, fp32, type TestTensor } from '../support/tensors.js';

const ENDLESS = 1_000_000_000n;
/** Far below what a request would wait for a lane that is never freed. */
const SOON_MS = 5000;

function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(
    () => 'OK',
    (error: ServiceError) => status[error.code],
  );
}

function floats(megabytes: number): TestTensor {
  const values = new Float32Array((megabytes * 1024 * 1024) / 4).fill(0.5);
  return fp32('INPUT0', [1, values.length], values);
}

describe('a long run', () => {
  let server: ServerProcess;
  let client: GrpcClient;
  let http: HttpClient;

  beforeAll(async () => {
    server = await ServerProcess.start({ repositories: [fixtureModels] });
    client = new GrpcClient(server.grpcAddress);
    http = new HttpClient(server.httpUrl);
  });

  afterAll(async () => {
    client.close();
    await http.close();
    await server.stop();
  });

  /** Succeeds only when a lane is free: the model has two. */
  async function expectFreeLane(): Promise<void> {
    const deadline = { deadline: Date.now() + SOON_MS };
    expect(await codeOf(client.infer(slowRequest(1n), deadline))).toBe('OK');
  }

  it('ends at its deadline and frees its lane', async () => {
    const started = performance.now();
    const calls = [1, 2, 3].map(() => codeOf(client.infer(slowRequest(ENDLESS), { deadline: Date.now() + 500 })));
    expect(await Promise.all(calls)).toEqual(Array(3).fill('DEADLINE_EXCEEDED'));
    expect(performance.now() - started).toBeLessThan(SOON_MS);
    await expectFreeLane();
    await untilInFlight(server, 0);
  });

  it('ends when its client cancels, in the lane and in the queue', async () => {
    const { path, requestSerialize } = client.method('ModelInfer');
    const same = (value: Buffer): Buffer => value;
    const codes: Promise<string | undefined>[] = [];
    const calls = [1, 2, 3].map(() => {
      const message = requestSerialize(slowRequest(ENDLESS));
      let end: (code: string | undefined) => void = () => {};
      codes.push(new Promise((resolve) => (end = resolve)));
      return client.raw.makeUnaryRequest(path, same, same, message, new Metadata(), (error) => end(status[error?.code ?? 0]));
    });
    await untilInFlight(server, 3);
    for (const call of calls) call.cancel();
    expect(await Promise.all(codes)).toEqual(Array(3).fill('CANCELLED'));
    await expectFreeLane();
    await untilInFlight(server, 0);
  });

  it('ends when its HTTP client goes away', async () => {
    const { inputs = [], raw_input_contents: raws = [] } = slowRequest(ENDLESS);
    const tensors = inputs.map(({ name, datatype, shape }, i) => ({ name, datatype, shape: shape.map(Number), raw: raws[i] as Buffer }));
    const { body, jsonBytes } = binaryRequest(tensors);
    const gone = new AbortController();
    const calls = [1, 2].map(() =>
      fetch(`${server.httpUrl}/v2/models/slow/infer`, {
        method: 'POST',
        body: new Uint8Array(body),
        headers: { 'inference-header-content-length': String(jsonBytes) },
        signal: gone.signal,
      }).catch((error: Error) => error.name),
    );
    await untilInFlight(server, 2);
    gone.abort();
    expect(await Promise.all(calls)).toEqual(['AbortError', 'AbortError']);
    await expectFreeLane();
    await untilInFlight(server, 0);
  });
});

describe('large messages', () => {
  it('of 5 MiB pass by default, beyond the 4 MiB that gRPC libraries start with', async () => {
    const server = await ServerProcess.start({ repositories: [fixtureModels] });
    const client = new GrpcClient(server.grpcAddress);
    const input = floats(5);
    const [output] = await client.inferRaw('identity_fp32', [input]);
    expect(output?.raw.equals(input.raw)).toBe(true);
    client.close();
    await server.stop();
  });

  it('beyond --max-request-bytes are refused by both protocols, and smaller ones are not', async () => {
    const server = await ServerProcess.start({ repositories: [fixtureModels], flags: ['--max-request-bytes', '1MiB'] });
    const client = new GrpcClient(server.grpcAddress);
    const http = new HttpClient(server.httpUrl);
    expect(await codeOf(client.inferRaw('identity_fp32', [floats(2)]))).toBe('RESOURCE_EXHAUSTED');
    await expect(http.inferBinary('identity_fp32', [floats(2)])).rejects.toThrow(/^HTTP 400: .*the limit is 1048576"/);
    expect(await codeOf(client.inferRaw('identity_fp32', [floats(0.5)]))).toBe('OK');
    expect(await http.inferBinary('identity_fp32', [floats(0.5)])).toHaveLength(1);
    client.close();
    await http.close();
    await server.stop();
  });
});

describe('grpc.health.v1', () => {
  const HEALTH = 'grpc.health.v1.Health';

  it('answers Check for the server and its service, and knows no other', async () => {
    const server = await ServerProcess.start({ repositories: [fixtureModels] });
    const client = new GrpcClient(server.grpcAddress);
    for (const service of ['', 'inference.GRPCInferenceService']) {
      expect(await client.call('Check', { service }, {}, HEALTH)).toEqual({ status: 'SERVING' });
    }
    expect(await codeOf(client.call('Check', { service: 'nobody' }, {}, HEALTH))).toBe('NOT_FOUND');
    client.close();
    await server.stop();
  });

  it('tells a Watch at once when the server begins to drain, and ends it when the listeners close', async () => {
    const server = await ServerProcess.start({ repositories: [fixtureModels], flags: ['--drain-delay-secs', '1'] });
    const client = new GrpcClient(server.grpcAddress);
    const { path, requestSerialize, responseDeserialize } = client.method('Watch', HEALTH);
    const stream = client.raw.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: '' }, new Metadata());
    const seen: { status: string; atMs: number }[] = [];
    const ended = new Promise((resolve) => stream.on('end', resolve));
    stream.on('data', (message: { status: string }) => seen.push({ ...message, atMs: performance.now() }));
    while (seen.length === 0) await sleep(5);
    const signalled = performance.now();
    server.child.kill('SIGTERM');
    await ended;
    expect(seen.map((message) => message.status).slice(0, 2)).toEqual(['SERVING', 'NOT_SERVING']);
    expect((seen[1]?.atMs ?? Infinity) - signalled).toBeLessThan(700);
    expect(performance.now() - signalled).toBeGreaterThan(900);
    client.close();
    expect(await server.exited).toBe(0);
    await server.stop();
  });
});
