import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HealthSnapshot } from '../../../src/bridge/health-snapshot.js';
import type { HttpInferMessage } from '../../../src/bridge/inference.js';
import { ServerError } from '../../../src/errors.js';
import { HealthWatch } from '../../../src/frontend/health-watch.js';
import { HttpListener } from '../../../src/frontend/http/listener.js';
import { RequestLog } from '../../../src/frontend/request-log.js';
import { countedReply, FakeInference, frontEndOptions } from './fake-inference.js';
import { openLocalPort, type LocalPort } from './local-port.js';

const native = vi.hoisted(() => ({ health: '', unknownModel: false }));
vi.mock('../../../src/bridge/addon.js', () => ({
  addon: {
    health: () => ({ json: native.health, ageMs: 0 }),
    describe: (kind: string, model: string, version: string) => {
      if (native.unknownModel) throw Object.assign(new Error(`Request for unknown model: '${model}'`), { status: 300 });
      return JSON.stringify({ kind, model, version });
    },
    statistics: () => [],
  },
}));

const healthy: HealthSnapshot = { live: true, ready: true, started: true, exiting: false, checks: { live: [], ready: [], started: [] } };
const logLines: Record<string, unknown>[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => void logLines.push(JSON.parse(line) as Record<string, unknown>) });

let inference: FakeInference;
let health: HealthWatch;
let listener: HttpListener;
let local: LocalPort;
let port: number;

async function start(options: Partial<typeof frontEndOptions> = {}): Promise<void> {
  inference = new FakeInference();
  health = new HealthWatch();
  listener = new HttpListener({ ...frontEndOptions, ...options }, inference.asInference, health, new RequestLog(logger, true));
  local = await openLocalPort(true, (socket) => listener.accept(socket));
  port = local.port;
}

function stop(): void {
  local.close();
  listener.destroy();
}

/** As the server does it: nothing new comes when the drain begins. */
function drain(): Promise<void> {
  local.close();
  return listener.drain();
}

beforeEach(async () => {
  native.health = JSON.stringify(healthy);
  native.unknownModel = false;
  logLines.length = 0;
  await start();
});

afterEach(() => {
  stop();
  health.close();
});

const infer = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body, headers: { 'Accept-Encoding': 'identity', ...headers } });

function rawConnection(): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', () => {});
  });
}

/** Everything the server says until it closes the connection. */
async function conversation(text: string | Buffer): Promise<string> {
  const socket = await rawConnection();
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

describe('inference over HTTP', () => {
  it('hands the body to the engine as it came and sends document and tensors back', async () => {
    const reply = countedReply(Buffer.from('{"outputs":[]}'), [Buffer.from('abc'), Buffer.from('def')], 'r1');
    inference.onSubmit = ({ handler }) => handler.onReply(reply);
    const response = await infer('/v2/models/m/versions/2/infer', '{"x":1}tail', { 'Inference-Header-Content-Length': '7' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.get('inference-header-content-length')).toBe('14');
    expect(response.headers.get('content-length')).toBe('20');
    expect(await response.text()).toBe('{"outputs":[]}abcdef');
    expect(inference.submitted[0]?.message).toMatchObject({ model: 'm', version: '2', jsonBytes: 7, timeoutMs: 0 });
    const { chunks } = inference.submitted[0]?.message as HttpInferMessage;
    expect(Buffer.concat(chunks).toString()).toBe('{"x":1}tail');
    await vi.waitFor(() => expect(reply.released).toBe(1));
  });

  it('writes each character of a text as one byte, whether it goes out plain or compressed', async () => {
    const bytes = Buffer.concat([Buffer.from('{"id":"größe"}'), Buffer.from(Array.from({ length: 256 }, (_, value) => value))]);
    const reply = { ...countedReply(bytes.toString('latin1')), jsonBytes: bytes.length - 256 };
    inference.onSubmit = ({ handler }) => handler.onReply(reply);
    for (const encoding of ['identity', 'gzip']) {
      const response = await infer('/v2/models/m/infer', '{}', { 'Accept-Encoding': encoding });
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
      expect(response.headers.get('inference-header-content-length')).toBe(String(bytes.length - 256));
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    }
  });

  it('calls a reply without binary tensors JSON', async () => {
    inference.onSubmit = ({ handler }) => handler.onReply(countedReply(Buffer.from('{}')));
    const response = await infer('/v2/models/m/infer', '{}');
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.has('inference-header-content-length')).toBe(false);
  });

  it('reads compressed bodies and compresses replies, naming the length of the plain document', async () => {
    const reply = countedReply(Buffer.from('{"outputs":[]}'), [Buffer.alloc(5000, 'x')]);
    inference.onSubmit = ({ handler }) => handler.onReply(reply);
    const headers = { 'Content-Encoding': 'gzip', 'Accept-Encoding': 'deflate;q=0.5, gzip' };
    const response = await infer('/v2/models/m/infer', gzipSync('{"inputs":[]}'), headers);
    const { chunks } = inference.submitted[0]?.message as HttpInferMessage;
    expect(Buffer.concat(chunks).toString()).toBe('{"inputs":[]}');
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(response.headers.get('inference-header-content-length')).toBe('14');
    expect(await response.text()).toBe(`{"outputs":[]}${'x'.repeat(5000)}`);
    expect(reply.released).toBe(1);
  });

  it('names the encodings it reads when it is given another', async () => {
    const response = await infer('/v2/models/m/infer', '{}', { 'Content-Encoding': 'br' });
    expect([response.status, response.headers.get('accept-encoding')]).toEqual([501, 'gzip, deflate']);
    expect(await response.json()).toEqual({ error: "Content-Encoding is 'br'; expected gzip, deflate or identity" });
  });

  it('answers what the engine refuses at once, with a hint when a retry makes sense', async () => {
    inference.refuse = new ServerError('ERR_QUEUE_FULL', 'Exceeds maximum queue size');
    const response = await infer('/v2/models/m/infer', '{}');
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^[123]$/)]);
    expect(await response.json()).toEqual({ error: 'Exceeds maximum queue size' });
  });

  it('answers what fails later, with the request id in the log', async () => {
    inference.onSubmit = ({ handler }) => handler.onError(new ServerError('ERR_MODEL_RUN', 'the model failed'), 'id-7');
    const response = await infer('/v2/models/m/infer', '{}');
    expect(response.status).toBe(500);
    await vi.waitFor(() => expect(logLines).toContainEqual(expect.objectContaining({ msg: 'request', status: 500, request_id: 'id-7' })));
    expect(logLines).toContainEqual(expect.objectContaining({ level: 50, code: 'ERR_MODEL_RUN', request_id: 'id-7' }));
  });

  it('cancels the request of a client that leaves', async () => {
    const socket = await rawConnection();
    socket.write('POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}');
    await vi.waitFor(() => expect(inference.submitted).toHaveLength(1));
    socket.destroy();
    await vi.waitFor(() => expect(inference.cancelled).toEqual([1]));
    const late = countedReply(Buffer.from('{}'), [Buffer.alloc(10)]);
    inference.submitted[0]?.handler.onReply(late);
    expect(late.released).toBe(1);
  });

  it('gives every reply back when the client leaves with requests still in the pipeline', async () => {
    const socket = await rawConnection();
    const request = 'POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';
    socket.write(request.repeat(20));
    await vi.waitFor(() => expect(inference.submitted).toHaveLength(20));
    // The first answer is owed, so these wait for their turn, which never comes.
    const replies = inference.submitted.slice(1).map(() => countedReply(Buffer.from('{}'), [Buffer.alloc(100)]));
    replies.forEach((reply, index) => inference.submitted[index + 1]?.handler.onReply(reply));
    expect(replies.map(({ released }) => released)).toEqual(replies.map(() => 0));
    socket.destroy();
    await vi.waitFor(() => expect(replies.map(({ released }) => released)).toEqual(replies.map(() => 1)));
    expect(inference.cancelled).toEqual([1]);
  });

  it('cuts off a client that does not take its answer', async () => {
    stop();
    await start({ requestTimeoutMs: 300, headersTimeoutMs: 300 });
    const reply = countedReply(Buffer.from('{}'), [Buffer.alloc(32_000_000)]);
    inference.onSubmit = ({ handler }) => handler.onReply(reply);
    const socket = await rawConnection();
    socket.pause();
    socket.write('POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}');
    await vi.waitFor(() => expect(inference.submitted).toHaveLength(1));
    expect(reply.released).toBe(0);
    await vi.waitFor(() => expect(reply.released).toBe(1), 5000);
    socket.destroy();
  });
});

describe('the limits of a body', () => {
  it('refuse a declared length before reading, and still deliver the reason', async () => {
    const response = await infer('/v2/models/m/infer', Buffer.alloc(5_000_000));
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: 'the body has 5000000 bytes; the limit is 1000000' });
    expect(inference.submitted).toHaveLength(0);
  });

  it('do not ask for a body that is too large', async () => {
    const socket = await rawConnection();
    socket.write('POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n');
    const first = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect(first.toString()).toMatch(/^HTTP\/1.1 400 /);
    socket.destroy();
  });

  it('hold for chunked bodies in bytes and in chunks', async () => {
    const head = 'POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    const tooLong = await conversation(`${head}${`186A0\r\n${'a'.repeat(100_000)}\r\n`.repeat(11)}0\r\n\r\n`);
    expect(tooLong).toMatch(/^HTTP\/1.1 400 [^]*larger than the limit of 1000000 bytes/);
    const tooMany = await conversation(head + '1\r\nA\r\n'.repeat(65_537) + '0\r\n\r\n');
    expect(tooMany).toMatch(/^HTTP\/1.1 400 [^]*more than 65536 chunks/);
    expect(inference.submitted).toHaveLength(0);
    inference.onSubmit = ({ handler }) => handler.onReply(countedReply(Buffer.from('{}')));
    const most = await conversation(head.replace('Host', 'Connection: close\r\nHost') + '1\r\nA\r\n'.repeat(65_536) + '0\r\n\r\n');
    expect(most).toMatch(/^HTTP\/1.1 200 /);
  });

  it('hold after decompression', async () => {
    const response = await infer('/v2/models/m/infer', gzipSync(Buffer.alloc(1_000_001)), { 'Content-Encoding': 'gzip' });
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: 'the decompressed body is larger than the limit of 1000000 bytes' },
    ]);
  });
});

describe('broken HTTP', () => {
  it.each([
    ['nonsense', 'GARBAGE\r\n\r\n', 400],
    ['a length beyond 64 bits', 'POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\n', 400],
    ['both kinds of length', 'POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    ['headers that are too large', `GET /v2 HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['no host', 'GET /v2 HTTP/1.1\r\n\r\n', 400],
    ['a space before the colon', 'GET /v2 HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n', 400],
    ['a broken chunk', 'POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
  ])('is answered when it is %s', async (_, text, status) => {
    expect(await conversation(text)).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*Connection: close`));
  });

  it('is answered with 408 when it comes too slowly', async () => {
    stop();
    await start({ requestTimeoutMs: 200, headersTimeoutMs: 200 });
    expect(await conversation('POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{')).toMatch(/^HTTP\/1.1 408 /);
  });

  it('never mixes its answer with one that is owed to an earlier request', async () => {
    const valid = 'POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';
    expect(await conversation(`${valid}GARBAGE\r\n\r\n`)).toBe('');
  });
});

describe('the routes that only tell', () => {
  const get = (path: string, method = 'GET'): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`, { method });

  it('answer with what the catalog has', async () => {
    expect(await (await get('/v2')).json()).toMatchObject({ name: 'penstock', version: '1.2.3' });
    expect(await (await get('/v2/models/m')).json()).toEqual({ kind: 'metadata', model: 'm', version: '' });
    expect(await (await get('/v2/models/m/versions/4/config')).json()).toEqual({ kind: 'config', model: 'm', version: '4' });
    expect(await (await get('/v2/models/m/ready')).json()).toEqual({ name: 'm', ready: true });
    expect(await (await get('/v2/models/stats')).json()).toEqual({ model_stats: [] });
    expect((await get('/ready')).status).toBe(200);
  });

  it('answer errors in JSON with the status of their class', async () => {
    native.unknownModel = true;
    const unknown = await get('/v2/models/x/ready');
    expect([unknown.status, await unknown.json()]).toEqual([404, { error: "Request for unknown model: 'x'" }]);
    const verb = await get('/v2/models/x/infer');
    expect([verb.status, verb.headers.get('allow'), await verb.json()]).toEqual([405, 'POST', { error: 'Method Not Allowed' }]);
    expect((await get('/v2/models/%zz')).status).toBe(400);
    expect((await get('/nothing')).status).toBe(404);
    expect((await get('/v2/repository/index', 'POST')).status).toBe(501);
  });

  it('serve a model called __proto__', async () => {
    expect(await (await get('/v2/models/__proto__')).json()).toMatchObject({ model: '__proto__' });
  });
});

describe('the end of a listener', () => {
  it('tells clients to go while the server is exiting', async () => {
    native.health = JSON.stringify({ ...healthy, ready: false, exiting: true });
    await vi.waitFor(() => expect(health.exiting).toBe(true));
    const response = await fetch(`http://127.0.0.1:${port}/v2`);
    expect([response.status, response.headers.get('connection')]).toEqual([200, 'close']);
  });

  it('drains: finishes what it accepted, closes what is idle, accepts nothing new', async () => {
    const silent = await rawConnection();
    const silentClosed = new Promise((resolve) => silent.once('close', resolve));
    const pending = infer('/v2/models/m/infer', '{}');
    await vi.waitFor(() => expect(inference.submitted).toHaveLength(1));
    let drained = false;
    const draining = drain().then(() => (drained = true));
    await silentClosed;
    await expect(infer('/v2/models/m/infer', '{}')).rejects.toThrow();
    expect(drained).toBe(false);
    inference.submitted[0]?.handler.onReply(countedReply(Buffer.from('{"done":1}')));
    const response = await pending;
    expect([await response.text(), response.headers.get('connection')]).toEqual(['{"done":1}', 'close']);
    await draining;
  });

  it('drains: lets a slow client take the rest of an answer that had begun', async () => {
    const reply = countedReply(Buffer.from('{}'), [Buffer.alloc(32_000_000)]);
    inference.onSubmit = ({ handler }) => handler.onReply(reply);
    const socket = await rawConnection();
    socket.write('POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}');
    await new Promise((resolve) => socket.once('readable', resolve));
    const draining = drain();
    let bytes = 0;
    for await (const chunk of socket) bytes += (chunk as Buffer).length;
    expect(bytes).toBeGreaterThan(32_000_000);
    expect(reply.released).toBe(1);
    await draining;
  });

  it('drains: closes a connection whose last answer did not wait for the body', async () => {
    const socket = await rawConnection();
    socket.write('POST /v2/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc');
    await new Promise((resolve) => socket.once('data', resolve));
    socket.write('def');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await drain();
  });

  it('drains: still gives up on a request that comes too slowly', async () => {
    stop();
    await start({ requestTimeoutMs: 300, headersTimeoutMs: 300 });
    const socket = await rawConnection();
    socket.write('GET /v2 HTTP/1.1\r\nHost:');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await drain();
  });

  it('serves the request of a client that had just connected when the drain began', async () => {
    const socket = await rawConnection();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const draining = drain();
    socket.write('GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1.1 200 [^]*Connection: close/);
    await draining;
  });

  it('destroys: cuts off what is running and cancels it', async () => {
    const pending = infer('/v2/models/m/infer', '{}').catch((error: unknown) => error);
    await vi.waitFor(() => expect(inference.submitted).toHaveLength(1));
    listener.destroy();
    expect(await pending).toBeInstanceOf(Error);
    await vi.waitFor(() => expect(inference.cancelled).toEqual([1]));
  });
});
