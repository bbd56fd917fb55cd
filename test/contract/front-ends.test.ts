/** Whoever serves the ports, clients must not be able to tell: the same bytes bring the same answers. */
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frame, rawCalls, type RawAnswer } from '../support/raw-grpc.js';
import { rawExchange } from '../support/raw-http.js';
import { jsonRequest } from '../support/protocols.js';
import { unixSockets } from '../support/passed-on.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { GRPC_CORPUS, MAX_MESSAGE_BYTES, type CorpusCall } from './grpc-corpus.js';
import { fp32 } from '../support/tensors.js';
import { HTTP_CORPUS, MAX_REQUEST_BYTES, SLOW_CORPUS, type CorpusExchange } from './http-corpus.js';

let js: ServerProcess;
let native: ServerProcess;
/** Of the native server, when nobody is connected. */
let idleSockets: number;

const nativeSockets = (): number => unixSockets(native.child.pid ?? 0);

beforeAll(async () => {
  const limits = ['--max-request-bytes', String(Math.max(MAX_REQUEST_BYTES, MAX_MESSAGE_BYTES))];
  const flags = [...limits, '--http-headers-timeout-ms', '3000', '--http-request-timeout-ms', '6000'];
  const start = (kind: string): Promise<ServerProcess> =>
    ServerProcess.start({ repositories: [shippedModels, fixtureModels], flags: [...flags, '--front-end', kind] });
  [js, native] = await Promise.all([start('js'), start('native')]);
  idleSockets = nativeSockets();
});

afterAll(async () => {
  expect(await Promise.all([js.stop(), native.stop()])).toEqual([0, 0]);
});

/** What differs from one moment to the next is taken out. */
async function httpAnswers(server: ServerProcess, exchange: CorpusExchange): Promise<string> {
  const text = (await rawExchange(server.ports.http, exchange)).toString('latin1').replaceAll(/\r\nDate: [^\r]+/g, '\r\nDate: D');
  return exchange.title.includes('/stats') ? text.replaceAll(/\d+/g, '0') : text;
}

/** The call, and another one that shows what has become of the connection. */
async function grpcAnswers(server: ServerProcess, call: CorpusCall): Promise<readonly RawAnswer[]> {
  const live = { path: '/inference.GRPCInferenceService/ServerLive', body: [frame(Buffer.alloc(0))] };
  const answers = await rawCalls(server.grpcAddress, [call, live]);
  return call.dataVaries === true ? answers.map((answer) => ({ ...answer, data: '' })) : answers;
}

describe('over HTTP both front ends give the same answer to', () => {
  it.each(HTTP_CORPUS)('$title', async (exchange) => {
    const [expected, answer] = await Promise.all([httpAnswers(js, exchange), httpAnswers(native, exchange)]);
    expect(answer).toBe(expected);
  });

  it.concurrent.each(SLOW_CORPUS)('$title', async (exchange) => {
    const [expected, answer] = await Promise.all([httpAnswers(js, exchange), httpAnswers(native, exchange)]);
    expect(answer).toBe(expected);
  });
});

describe('over gRPC both front ends give the same answer to', () => {
  it.each(GRPC_CORPUS)('$title', async (call) => {
    const [expected, answer] = await Promise.all([grpcAnswers(js, call), grpcAnswers(native, call)]);
    expect(answer).toEqual(expected);
  });
});

const INFER_BODY = Buffer.from(jsonRequest({ model: 'identity_fp32', inputs: [fp32('INPUT0', [1, 3], [1, 2, 3])] }));

interface Sent {
  readonly method?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Sends an inference on a connection that stays; the answer's status and encoding, and how many sockets lead to JavaScript afterwards. */
async function passedOnBy({
  method = 'POST',
  fields = {},
  body = INFER_BODY,
}: Sent): Promise<{ status: number | undefined; encoding: string | undefined; sockets: number }> {
  await expect.poll(() => nativeSockets(), { timeout: 20_000 }).toBe(idleSockets);
  const agent = new Agent({ keepAlive: true });
  try {
    const length = 'transfer-encoding' in fields ? {} : { 'content-length': body.length };
    const headers = { ...fields, ...length };
    const sent = request(`${native.httpUrl}/v2/models/identity_fp32/infer`, { agent, method, headers }).end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    await buffer(answer);
    return { status: answer.statusCode, encoding: answer.headers['content-encoding'], sockets: nativeSockets() - idleSockets };
  } finally {
    agent.destroy();
  }
}

describe('the native front end', () => {
  it.each(['gzip', 'deflate'])('compresses answers in %s without JavaScript', async (encoding) => {
    expect(await passedOnBy({ fields: { 'accept-encoding': encoding } })).toEqual({ status: 200, encoding, sockets: 0 });
  });

  it.each([
    ['in chunks', { 'transfer-encoding': 'chunked' }, INFER_BODY],
    ['in gzip', { 'content-encoding': 'gzip' }, gzipSync(INFER_BODY)],
    ['in deflate', { 'content-encoding': 'deflate' }, deflateSync(INFER_BODY)],
    ['in chunks of gzip', { 'transfer-encoding': 'chunked', 'content-encoding': 'gzip' }, gzipSync(INFER_BODY)],
  ])('takes bodies %s without JavaScript', async (_, fields, body) => {
    expect(await passedOnBy({ fields, body })).toEqual({ status: 200, encoding: undefined, sockets: 0 });
  });

  it('passes on what it does not answer', async () => {
    expect(await passedOnBy({ method: 'PUT' })).toEqual({ status: 405, encoding: undefined, sockets: 2 });
  });
});
