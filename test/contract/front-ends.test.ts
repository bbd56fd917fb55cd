/** Whoever serves the ports, clients must not be able to tell: the same bytes bring the same answers. */
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frame, rawCalls, type RawAnswer } from '../support/raw-grpc.js';
import { rawExchange } from '../support/raw-http.js';
import { Authority, TlsFolder } from '../support/certificates.js';
import { jsonRequest } from '../support/protocols.js';
import { unixSockets } from '../support/passed-on.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { GRPC_CORPUS, MAX_MESSAGE_BYTES, type CorpusCall } from './grpc-corpus.js';
import { fp32 } from '../support/tensors.js';
import { HTTP_CORPUS, MAX_REQUEST_BYTES, SLOW_CORPUS, type CorpusExchange } from './http-corpus.js';

/** Those that must answer as JavaScript does without TLS. */
const COMPARED = [
  { frontEnd: 'native', tls: false },
  { frontEnd: 'js', tls: true },
  { frontEnd: 'native', tls: true },
] as const;

interface Compared {
  readonly server: ServerProcess;
  /** Undefined = plain. */
  readonly tls: { readonly ca: string } | undefined;
}

const authority = new Authority();
const ca = authority.certificate;
const folder = new TlsFolder(authority.issue('server'));

let js: Compared;
/** By front end, with what its name says of TLS. */
let compared: readonly (readonly [name: string, server: Compared])[];
let native: ServerProcess;
/** Of the native server, when nobody is connected. */
let idleSockets: number;

const nativeSockets = (): number => unixSockets(native.child.pid ?? 0);

beforeAll(async () => {
  const limits = ['--max-request-bytes', String(Math.max(MAX_REQUEST_BYTES, MAX_MESSAGE_BYTES))];
  const flags = [...limits, '--http-headers-timeout-ms', '3000', '--http-request-timeout-ms', '6000'];
  const start = async (kind: string, tls: boolean): Promise<Compared> => {
    const all = [...flags, '--front-end', kind, ...(tls ? folder.flags : [])];
    const server = await ServerProcess.start({ repositories: [shippedModels, fixtureModels], flags: all });
    return { server, tls: tls ? { ca } : undefined };
  };
  const name = ({ frontEnd, tls }: (typeof COMPARED)[number]): string => `${frontEnd}${tls ? ' with TLS' : ''}`;
  const started = await Promise.all([
    start('js', false),
    ...COMPARED.map(async (one) => [name(one), await start(one.frontEnd, one.tls)] as const),
  ]);
  [js, ...compared] = started;
  native = compared.find(([one]) => one === 'native')?.[1].server as ServerProcess;
  idleSockets = nativeSockets();
}, 120_000);

afterAll(async () => {
  const codes = await Promise.all([js, ...compared.map(([, one]) => one)].map(({ server }) => server.stop()));
  expect(new Set(codes)).toEqual(new Set([0]));
  folder.remove();
});

/** What differs from one moment to the next is taken out. */
async function httpAnswers({ server, tls }: Compared, exchange: CorpusExchange): Promise<string> {
  const text = (await rawExchange(server.ports.http, exchange, tls)).toString('latin1').replaceAll(/\r\nDate: [^\r]+/g, '\r\nDate: D');
  return exchange.title.includes('/stats') ? text.replaceAll(/\d+/g, '0') : text;
}

/** The call, and another one that shows what has become of the connection. */
async function grpcAnswers({ server, tls }: Compared, call: CorpusCall): Promise<readonly RawAnswer[]> {
  const live = { path: '/inference.GRPCInferenceService/ServerLive', body: [frame(Buffer.alloc(0))] };
  const answers = await rawCalls(server.grpcAddress, [call, live], tls);
  return call.dataVaries === true ? answers.map((answer) => ({ ...answer, data: '' })) : answers;
}

/** What each gives, by name, and what all have to give. */
async function answersOf<Answer>(ask: (one: Compared) => Promise<Answer>): Promise<[Record<string, Answer>, Record<string, Answer>]> {
  const [expected, ...answers] = await Promise.all([ask(js), ...compared.map(([, one]) => ask(one))]);
  const named = (answer: (index: number) => Answer): Record<string, Answer> =>
    Object.fromEntries(compared.map(([name], index) => [name, answer(index)]));
  return [named((index) => answers[index] as Answer), named(() => expected)];
}

describe('over HTTP every front end gives the same answer to', () => {
  it.each(HTTP_CORPUS)('$title', async (exchange) => {
    const [answers, expected] = await answersOf((one) => httpAnswers(one, exchange));
    expect(answers).toEqual(expected);
  });

  it.concurrent.each(SLOW_CORPUS)('$title', async (exchange) => {
    const [answers, expected] = await answersOf((one) => httpAnswers(one, exchange));
    expect(answers).toEqual(expected);
  });
});

describe('over gRPC every front end gives the same answer to', () => {
  it.each(GRPC_CORPUS)('$title', async (call) => {
    const [answers, expected] = await answersOf((one) => grpcAnswers(one, call));
    expect(answers).toEqual(expected);
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
