import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, makeGenericClientConstructor, Metadata, status, type Client, type ServiceError } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HealthSnapshot } from '../../../src/bridge/health-snapshot.js';
import { ServerError } from '../../../src/errors.js';
import { loadDefinitions } from '../../../src/frontend/grpc/definitions.js';
import { timeoutMs } from '../../../src/frontend/grpc/infer.js';
import { GrpcListener } from '../../../src/frontend/grpc/listener.js';
import { HealthWatch } from '../../../src/frontend/health-watch.js';
import { RequestLog } from '../../../src/frontend/request-log.js';
import { countedReply, FakeInference, frontEndOptions } from './fake-inference.js';
import { openLocalPort, type LocalPort } from './local-port.js';

const native = vi.hoisted(() => ({ health: '', failure: undefined as { status: number; message: string } | undefined }));
vi.mock('../../../src/bridge/addon.js', () => ({
  addon: {
    health: () => ({ json: native.health, ageMs: 0 }),
    describe: (kind: string, model: string) => {
      if (native.failure !== undefined) throw Object.assign(new Error(native.failure.message), { status: native.failure.status });
      const tensor = { name: 'x', datatype: 'FP32', shape: [-1, 3] };
      if (kind === 'metadata')
        return JSON.stringify({ name: model, versions: ['1'], platform: 'onnxruntime_onnx', inputs: [tensor], outputs: [] });
      return JSON.stringify({
        name: model,
        backend: 'onnxruntime',
        max_batch_size: 8,
        input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [3] }],
        dynamic_batching: {
          preferred_batch_size: [8],
          max_queue_delay_microseconds: 100,
          priority_queue_policy: { 1: { max_queue_size: 5 } },
        },
        version_policy: { latest: { num_versions: 1 } },
        instance_group: [{ name: 'g', kind: 'KIND_CPU', count: 2 }],
      });
    },
    statistics: () => [],
  },
}));

const healthy: HealthSnapshot = { live: true, ready: true, started: true, exiting: false, checks: { live: [], ready: [], started: [] } };
const logLines: Record<string, unknown>[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => void logLines.push(JSON.parse(line) as Record<string, unknown>) });
const definitions = loadDefinitions();
const clients: Client[] = [];

let inference: FakeInference;
let health: HealthWatch;
let listener: GrpcListener;
let local: LocalPort;
let port: number;

type Answer = { readonly reply?: Record<string, unknown>; readonly code: number; readonly details: string };

function client(service: (typeof definitions)['inference']): Client & Record<string, (...args: unknown[]) => unknown> {
  const made = new (makeGenericClientConstructor(service, 'service'))(`127.0.0.1:${port}`, credentials.createInsecure());
  clients.push(made);
  return made as unknown as Client & Record<string, (...args: unknown[]) => unknown>;
}

function call(name: string, request: object, options: object = {}, service = definitions.inference): Promise<Answer> {
  return new Promise((resolve) => {
    client(service)[name]?.(request, new Metadata(), options, (error: ServiceError | null, reply?: Record<string, unknown>) => {
      resolve(error === null ? { code: 0, details: '', ...(reply && { reply }) } : { code: error.code, details: error.details });
    });
  });
}

beforeEach(async () => {
  native.health = JSON.stringify(healthy);
  native.failure = undefined;
  logLines.length = 0;
  inference = new FakeInference();
  health = new HealthWatch();
  listener = new GrpcListener(frontEndOptions, inference.asInference, health, new RequestLog(logger, true));
  local = await openLocalPort(false, (socket) => listener.accept(socket));
  port = local.port;
});

afterEach(() => {
  for (const made of clients.splice(0)) made.close();
  local.close();
  listener.destroy();
  health.close();
});

describe('ModelInfer', () => {
  const serialize = definitions.inference['ModelInfer']?.requestSerialize as (message: object) => Buffer;
  const reply = definitions.inference['ModelInfer']?.responseSerialize as (message: object) => Buffer;

  it("hands the message's bytes to the engine and its reply's bytes to the client", async () => {
    const counted = countedReply(reply({ model_name: 'm', raw_output_contents: [Buffer.from('abcd')] }), [], 'id-1');
    inference.onSubmit = ({ handler }) => handler.onReply(counted);
    const request = { model_name: 'm', raw_input_contents: [Buffer.from('xyz')] };
    expect(await call('ModelInfer', request)).toMatchObject({
      code: 0,
      reply: { model_name: 'm', raw_output_contents: [Buffer.from('abcd')] },
    });
    expect(Buffer.from(inference.submitted[0]?.message as Uint8Array).equals(serialize(request))).toBe(true);
    expect(inference.submitted[0]?.timeoutMs).toBe(0);
    expect(counted.released).toBe(1);
    expect(logLines).toContainEqual(
      expect.objectContaining({ msg: 'request', path: '/inference.GRPCInferenceService/ModelInfer', status: 'OK', request_id: 'id-1' }),
    );
  });

  it('does not cancel a request that was answered', async () => {
    inference.onSubmit = ({ handler }) => handler.onReply(countedReply(reply({})));
    for (let round = 0; round < 5; round += 1) await call('ModelInfer', {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(inference.cancelled).toEqual([]);
  });

  it('cancels when the client does', async () => {
    const running = client(definitions.inference)['ModelInfer']?.({}, () => {}) as { cancel(): void };
    await vi.waitFor(() => expect(inference.submitted).toHaveLength(1));
    running.cancel();
    await vi.waitFor(() => expect(inference.cancelled).toEqual([1]));
  });

  it("passes the call's deadline on and keeps to it", async () => {
    const answer = await call('ModelInfer', {}, { deadline: Date.now() + 300 });
    expect(answer.code).toBe(status.DEADLINE_EXCEEDED);
    expect(inference.submitted[0]?.timeoutMs).toBeGreaterThan(100);
    expect(inference.submitted[0]?.timeoutMs).toBeLessThanOrEqual(301);
    await vi.waitFor(() => expect(inference.cancelled).toEqual([1]));
  });

  it.each([
    ['ERR_TENSOR_SHAPE', status.INVALID_ARGUMENT],
    ['ERR_MODEL_UNKNOWN', status.NOT_FOUND],
    ['ERR_QUEUE_FULL', status.UNAVAILABLE],
    ['ERR_REQUEST_TIMEOUT', status.UNAVAILABLE],
    ['ERR_REQUEST_CANCELLED', status.CANCELLED],
    ['ERR_MODEL_RUN', status.INTERNAL],
  ] as const)('answers %s with its status and text, in any script', async (code, expected) => {
    inference.refuse = new ServerError(code, "input 'größe' 100% \ud800");
    expect(await call('ModelInfer', {})).toEqual({ code: expected, details: "input 'größe' 100% \ufffd" });
  });

  it.each([
    ['ERR_DEADLINE_UNREACHABLE', 4000, true],
    ['ERR_QUEUE_FULL', 0, true],
    ['ERR_REQUEST_TIMEOUT', 0, false],
  ] as const)('says with %s and advice of %i ms when to try again, if at all: %s', async (code, retryAfterMs, says) => {
    inference.refuse = new ServerError(code, 'busy', { retryAfterMs });
    const error = await new Promise<ServiceError>((resolve) => {
      client(definitions.inference)['ModelInfer']?.({}, new Metadata(), {}, (failure: ServiceError | null) => {
        if (failure !== null) resolve(failure);
      });
    });
    const [details] = error.metadata.get('grpc-status-details-bin');
    expect(String(details ?? '').includes('type.googleapis.com/google.rpc.RetryInfo')).toBe(says);
  });

  it('refuses a message above the limit before its bytes have come, and one that inflates beyond it', async () => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const send = (headers: Record<string, string>, body: Buffer): Promise<string> =>
      new Promise((resolve) => {
        const path = '/inference.GRPCInferenceService/ModelInfer';
        const stream = session.request({
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/grpc',
          te: 'trailers',
          ...headers,
        });
        stream.on('response', (answer) => resolve(String(answer['grpc-status'])));
        stream.on('error', () => {});
        stream.write(body);
      });
    const declared = Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]);
    expect(await send({}, declared)).toBe(String(status.RESOURCE_EXHAUSTED));
    const { gzipSync } = await import('node:zlib');
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const prefix = Buffer.from([1, 0, 0, 0, 0]);
    prefix.writeUInt32BE(bomb.length, 1);
    expect(await send({ 'grpc-encoding': 'gzip' }, Buffer.concat([prefix, bomb]))).toBe(String(status.RESOURCE_EXHAUSTED));
    session.destroy();
    expect(inference.submitted).toHaveLength(0);
  });

  it.each([
    [Infinity, 0],
    [1000, 1],
    [1000.2, 1],
    [1001.5, 2],
    [500, 1],
  ])('takes a deadline at %d for a timeout of %d ms at time 1000', (deadline, expected) => {
    expect(timeoutMs(deadline, 1000)).toBe(expected);
  });
});

describe('the calls that only tell', () => {
  it('answer with what the catalog has', async () => {
    expect((await call('ServerLive', {})).reply).toEqual({ live: true });
    expect((await call('ServerReady', {})).reply).toEqual({ ready: true });
    expect((await call('ServerMetadata', {})).reply).toMatchObject({ name: 'penstock', version: '1.2.3' });
    expect((await call('ModelReady', { name: 'm' })).reply).toEqual({ ready: true });
    expect((await call('ModelMetadata', { name: 'm' })).reply).toMatchObject({ name: 'm', inputs: [{ name: 'x', shape: ['-1', '3'] }] });
    expect((await call('ModelStatistics', {})).reply).toEqual({ model_stats: [] });
    expect((await call('ModelConfig', { name: 'm' })).reply).toMatchObject({
      config: {
        name: 'm',
        max_batch_size: 8,
        input: [{ data_type: 'TYPE_FP32', dims: ['3'] }],
        dynamic_batching: {
          max_queue_delay_microseconds: '100',
          // protobufjs reads 64-bit keys as the eight bytes of the number.
          priority_queue_policy: { '\x01\0\0\0\0\0\0\0': { max_queue_size: 5 } },
        },
        version_policy: { latest: { num_versions: 1 } },
        instance_group: [{ kind: 'KIND_CPU', count: 2 }],
      },
    });
  });

  it('tell an unknown model from one that is not ready', async () => {
    native.failure = { status: 300, message: "Request for unknown model: 'm'" };
    expect(await call('ModelReady', { name: 'm' })).toMatchObject({ code: status.NOT_FOUND });
    native.failure = { status: 301, message: 'version 1 is not ready' };
    expect(await call('ModelReady', { name: 'm' })).toMatchObject({ reply: { ready: false } });
    expect(await call('ModelMetadata', { name: 'm' })).toMatchObject({ code: status.UNAVAILABLE });
  });

  it('send clients of an exiting server elsewhere', async () => {
    native.health = JSON.stringify({ ...healthy, ready: false, exiting: true });
    expect(await call('ServerReady', {})).toMatchObject({ code: status.UNAVAILABLE });
  });

  it('answer what is not offered with UNIMPLEMENTED, streams as well', async () => {
    const details = 'RepositoryIndex is not offered by this server';
    expect(await call('RepositoryIndex', {})).toEqual({ code: status.UNIMPLEMENTED, details });
    const stream = client(definitions.inference)['ModelStreamInfer']?.() as {
      on(event: string, listener: (error: ServiceError) => void): void;
    };
    const error = await new Promise<ServiceError>((resolve) => stream.on('error', resolve));
    expect([error.code, error.details]).toEqual([status.UNIMPLEMENTED, 'ModelStreamInfer is not offered by this server']);
  });

  it('call a message that is not a protobuf the client’s fault', async () => {
    const broken = { ...definitions.inference };
    const metadata = broken['ModelMetadata'];
    if (metadata === undefined) throw new Error('ModelMetadata is missing');
    broken['ModelMetadata'] = { ...metadata, requestSerialize: () => Buffer.from([0x0a, 0xff, 0xff]) } as typeof metadata;
    expect(await call('ModelMetadata', {}, {}, broken)).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

describe('grpc.health.v1', () => {
  it('serves when ready, and knows its services', async () => {
    const check = (service: string): Promise<Answer> => call('Check', { service }, {}, definitions.health);
    expect((await check('')).reply).toEqual({ status: 'SERVING' });
    expect((await check('inference.GRPCInferenceService')).reply).toEqual({ status: 'SERVING' });
    expect((await check('other')).code).toBe(status.NOT_FOUND);
    native.health = JSON.stringify({ ...healthy, ready: false });
    expect((await check('')).reply).toEqual({ status: 'NOT_SERVING' });
  });

  it('watches: tells each change and ends when the server drains', async () => {
    const watch = (service: string): { seen: string[]; ended: Promise<unknown> } => {
      const stream = client(definitions.health)['Watch']?.({ service }) as NodeJS.EventEmitter;
      const seen: string[] = [];
      stream.on('data', (message: { status: string }) => seen.push(message.status));
      return { seen, ended: new Promise((resolve) => stream.on('end', resolve)) };
    };
    const known = watch('');
    const unknown = watch('other');
    await vi.waitFor(() => expect([known.seen, unknown.seen]).toEqual([['SERVING'], ['SERVICE_UNKNOWN']]));
    native.health = JSON.stringify({ ...healthy, ready: false });
    await vi.waitFor(() => expect(known.seen).toEqual(['SERVING', 'NOT_SERVING']));
    native.health = JSON.stringify(healthy);
    await vi.waitFor(() => expect(known.seen).toEqual(['SERVING', 'NOT_SERVING', 'SERVING']));
    local.close();
    await listener.drain();
    await Promise.all([known.ended, unknown.ended]);
    expect(known.seen.at(-1)).toBe('NOT_SERVING');
  });
});

describe('the connections', () => {
  const rawConnection = (): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket));
      socket.on('error', () => {});
      socket.resume();
    });

  it('are closed when they say nothing, or no HTTP/2', async () => {
    const silent = await rawConnection();
    const wrong = await rawConnection();
    const ends = [silent, wrong].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    wrong.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await Promise.all(ends);
  });

  it('may say nothing for as long as they like where there is no limit', async () => {
    const patient = new GrpcListener(
      { ...frontEndOptions, headersTimeoutMs: 0 },
      inference.asInference,
      health,
      new RequestLog(logger, true),
    );
    const accepted: Socket[] = [];
    const other = await openLocalPort(false, (socket) => {
      accepted.push(socket);
      patient.accept(socket);
    });
    const silent = connect(other.port, '127.0.0.1');
    silent.on('error', () => {});
    await vi.waitFor(() => expect(accepted).toHaveLength(1));
    await sleep(50);
    expect(accepted[0]?.destroyed).toBe(false);
    silent.destroy();
    other.close();
    patient.destroy();
  });

  it('finish their calls when the listener drains, and accept no new ones', async () => {
    const pending = call('ModelInfer', {});
    await vi.waitFor(() => expect(inference.submitted).toHaveLength(1));
    let drained = false;
    local.close();
    const drain = listener.drain().then(() => (drained = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(drained).toBe(false);
    expect((await call('ServerLive', {})).code).toBe(status.UNAVAILABLE);
    inference.submitted[0]?.handler.onReply(countedReply(Buffer.alloc(0)));
    expect((await pending).code).toBe(0);
    await drain;
  });

  it('are cut off when the listener is destroyed, and their requests cancelled', async () => {
    const pending = call('ModelInfer', {});
    await vi.waitFor(() => expect(inference.submitted).toHaveLength(1));
    listener.destroy();
    expect((await pending).code).toBe(status.UNAVAILABLE);
    await vi.waitFor(() => expect(inference.cancelled).toEqual([1]));
  });
});
