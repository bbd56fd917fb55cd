/** Whoever serves the ports, clients must not be able to tell: the same bytes bring the same answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frame, rawCalls, type RawAnswer } from '../support/raw-grpc.js';
import { rawExchange } from '../support/raw-http.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { GRPC_CORPUS, MAX_MESSAGE_BYTES, type CorpusCall } from './grpc-corpus.js';
import { HTTP_CORPUS, MAX_REQUEST_BYTES, SLOW_CORPUS, type CorpusExchange } from './http-corpus.js';

let js: ServerProcess;
let native: ServerProcess;

beforeAll(async () => {
  const limits = ['--max-request-bytes', String(Math.max(MAX_REQUEST_BYTES, MAX_MESSAGE_BYTES))];
  const flags = [...limits, '--http-headers-timeout-ms', '3000', '--http-request-timeout-ms', '6000'];
  const start = (kind: string): Promise<ServerProcess> =>
    ServerProcess.start({ repositories: [shippedModels, fixtureModels], flags: [...flags, '--front-end', kind] });
  [js, native] = await Promise.all([start('js'), start('native')]);
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
