import { deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpClient, inferPath, type HttpAnswer } from '../support/clients.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { answerOf, jsonRequest } from '../support/protocols.js';
import { binaryRequest, bytes, fp32, int32, readBinaryReply, type TestTensor } from '../support/tensors.js';

let server: ServerProcess;
let http: HttpClient;

beforeAll(async () => {
  server = await ServerProcess.start({ repositories: [shippedModels, fixtureModels] });
  http = new HttpClient(server.httpUrl);
});

afterAll(async () => {
  await http.close();
  await server.stop();
});

const row = Array.from({ length: 16 }, (_, i) => i);
const input0 = int32('INPUT0', [1, 16], row);
const input1 = int32('INPUT1', [1, 16], row);
const sum = int32(
  'OUTPUT0',
  [1, 16],
  row.map((i) => 2 * i),
);
const difference = int32('OUTPUT1', [1, 16], Array<number>(16).fill(0));
const addSubJson = jsonRequest({ model: 'add_sub', inputs: [input0, input1] });
const JSON_BYTES = 'inference-header-content-length';

function errorOf(answer: HttpAnswer): string {
  return (JSON.parse(answer.body.toString('utf8')) as { error: string }).error;
}

function post(model: string, body: Buffer | string, headers: Record<string, string> = {}, version?: string): Promise<HttpAnswer> {
  return http.request('POST', inferPath(model, version), body, headers);
}

function tensorsOf(answer: HttpAnswer, body = answer.body): readonly TestTensor[] {
  expect(answer.status, answer.body.toString('utf8')).toBe(200);
  return answerOf(body, Number(answer.headers[JSON_BYTES] ?? body.length)).outputs;
}

describe('the version in the path', () => {
  const picture = jsonRequest({ model: 'digits', inputs: [fp32('image', [1, 1, 8, 8], Array<number>(64).fill(0))] });

  it('chooses the version that answers', async () => {
    for (const version of ['1', '2']) {
      const answer = await post('digits', picture, {}, version);
      expect(JSON.parse(answer.body.toString('utf8'))).toMatchObject({ model_name: 'digits', model_version: version });
    }
  });

  it('is the highest ready one when there is none', async () => {
    expect(JSON.parse((await post('digits', picture)).body.toString('utf8'))).toMatchObject({ model_version: '2' });
  });

  it('is no route when it is not a number', async () => {
    expect((await post('digits', picture, {}, 'latest')).status).toBe(404);
  });
});

describe('a raw binary request', () => {
  it('is the one input of the model, its variable dimension deduced from the bytes', async () => {
    const values = fp32('OUTPUT0', [1, 3], [1, 2, 3]);
    const answer = await post('identity_fp32', values.raw, { [JSON_BYTES]: '0' });
    expect(tensorsOf(answer)).toEqual([values]);
    expect(answer.headers['content-type']).toBe('application/octet-stream');
  });

  it('is one element when the input is BYTES', async () => {
    const answer = await post('echo_text', Buffer.from([0, 255, 10]), { [JSON_BYTES]: '0' });
    expect(tensorsOf(answer)).toEqual([bytes('echo', [1, 1], [Buffer.of(0, 255, 10)])]);
  });

  it('is refused by a model of two inputs', async () => {
    const answer = await post('add_sub', input0.raw, { [JSON_BYTES]: '0' });
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toBe('body: a raw binary request needs a model with exactly 1 input, model "add_sub" has 2');
  });
});

describe('JSON and binary in one message', () => {
  it('takes one input as JSON and the next as binary', async () => {
    const json = Buffer.from(
      JSON.stringify({
        inputs: [
          { name: 'INPUT0', datatype: 'INT32', shape: [1, 16], data: row },
          { name: 'INPUT1', datatype: 'INT32', shape: [1, 16], parameters: { binary_data_size: 64 } },
        ],
      }),
    );
    const answer = await post('add_sub', Buffer.concat([json, input1.raw]), { [JSON_BYTES]: String(json.length) });
    expect(tensorsOf(answer)).toEqual([sum, difference]);
    expect(answer.headers['content-type']).toBe('application/json');
  });

  it('refuses bytes that no input accounts for', async () => {
    const { body, jsonBytes } = binaryRequest([input0, input1]);
    const answer = await post('add_sub', Buffer.concat([body, Buffer.of(1)]), { [JSON_BYTES]: String(jsonBytes) });
    expect([answer.status, errorOf(answer)]).toEqual([400, 'the body: found 1 bytes after the last binary input, expected none']);
  });

  it('refuses a JSON part that is longer than the body', async () => {
    const answer = await post('add_sub', addSubJson, { [JSON_BYTES]: '99999' });
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatch(/^Inference-Header-Content-Length: found 99999, expected 0 to \d+, the bytes of the body$/);
  });
});

describe('the form of the outputs', () => {
  /** Names of the outputs that came as binary. */
  async function binaryOutputs(outputs: unknown, parameters: unknown): Promise<string[]> {
    const answer = await post('add_sub', JSON.stringify({ ...(JSON.parse(addSubJson) as object), outputs, parameters }));
    expect(tensorsOf(answer)).toEqual([sum, difference]);
    const { document } = readBinaryReply(answer.body, Number(answer.headers[JSON_BYTES] ?? answer.body.length));
    const names = document.outputs.filter(({ data }) => data === undefined).map(({ name }) => name);
    expect(answer.headers['content-type']).toBe(names.length > 0 ? 'application/octet-stream' : 'application/json');
    expect(JSON_BYTES in answer.headers).toBe(names.length > 0);
    return names;
  }

  const listed = (first?: boolean, second?: boolean): unknown =>
    [first, second].map((flag, i) => ({ name: `OUTPUT${i}`, ...(flag === undefined ? {} : { parameters: { binary_data: flag } }) }));

  it('is JSON when nobody asks', async () => {
    expect(await binaryOutputs(undefined, undefined)).toEqual([]);
  });

  it('is chosen for each output by binary_data', async () => {
    expect(await binaryOutputs(listed(true, false), undefined)).toEqual(['OUTPUT0']);
    expect(await binaryOutputs(listed(true, true), undefined)).toEqual(['OUTPUT0', 'OUTPUT1']);
  });

  it('is chosen for all outputs by binary_data_output, listed or not', async () => {
    expect(await binaryOutputs(undefined, { binary_data_output: true })).toEqual(['OUTPUT0', 'OUTPUT1']);
    expect(await binaryOutputs(listed(), { binary_data_output: true })).toEqual(['OUTPUT0', 'OUTPUT1']);
  });

  it('follows binary_data where both are given', async () => {
    expect(await binaryOutputs(listed(false), { binary_data_output: true })).toEqual(['OUTPUT1']);
    expect(await binaryOutputs(listed(true), { binary_data_output: false })).toEqual(['OUTPUT0']);
  });

  it.each([
    ['NaN', NaN],
    ['infinity', Infinity],
    ['-infinity', -Infinity],
  ])('must be binary for %s, which JSON cannot carry', async (text, value) => {
    const input = fp32('INPUT0', [1, 2], [1, value]);
    const { body, jsonBytes } = binaryRequest([input], { parameters: {} });
    const answer = await post('identity_fp32', body, { [JSON_BYTES]: String(jsonBytes) });
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toBe(`output "OUTPUT0" holds ${text} at element 1, which JSON cannot carry: ask for it as binary`);
    const binary = binaryRequest([input]);
    const carried = await post('identity_fp32', binary.body, { [JSON_BYTES]: String(binary.jsonBytes) });
    expect(tensorsOf(carried)).toEqual([{ ...input, name: 'OUTPUT0' }]);
  });
});

describe('compression', () => {
  const codecs = [
    ['gzip', gzipSync, gunzipSync],
    ['deflate', deflateSync, inflateSync],
  ] as const;

  it.each(codecs)('of a request by %s, JSON and binary', async (name, compress) => {
    expect(tensorsOf(await post('add_sub', compress(addSubJson), { 'content-encoding': name }))).toEqual([sum, difference]);
    const { body, jsonBytes } = binaryRequest([input0, input1]);
    const headers = { 'content-encoding': name, [JSON_BYTES]: String(jsonBytes) };
    expect(tensorsOf(await post('add_sub', compress(body), headers))).toEqual([sum, difference]);
  });

  it.each(codecs)('of an answer by %s, JSON and binary', async (name, _, decompress) => {
    const json = await post('add_sub', addSubJson, { 'accept-encoding': name });
    expect(json.headers['content-encoding']).toBe(name);
    expect(tensorsOf(json, decompress(json.body))).toEqual([sum, difference]);
    const { body, jsonBytes } = binaryRequest([input0, input1]);
    const binary = await post('add_sub', body, { 'accept-encoding': name, [JSON_BYTES]: String(jsonBytes) });
    expect(binary.headers['content-encoding']).toBe(name);
    expect(tensorsOf(binary, decompress(binary.body))).toEqual([sum, difference]);
  });

  it.each([
    ['gzip;q=0.5, deflate', 'deflate'],
    ['deflate;q=0.5, gzip;q=0.6', 'gzip'],
    ['deflate, gzip', 'deflate'],
    ['gzip;q=0', undefined],
    ['identity, gzip;q=0.9', undefined],
    ['br', undefined],
  ])('of an answer to a client that accepts %s', async (accepted, expected) => {
    const answer = await post('add_sub', addSubJson, { 'accept-encoding': accepted });
    expect(answer.headers['content-encoding']).toBe(expected);
  });

  it('of another kind is not supported', async () => {
    const answer = await post('add_sub', addSubJson, { 'content-encoding': 'br' });
    expect([answer.status, errorOf(answer)]).toEqual([501, "Content-Encoding is 'br'; expected gzip, deflate or identity"]);
    expect(answer.headers['accept-encoding']).toBe('gzip, deflate');
  });

  it('that is broken is refused', async () => {
    const answer = await post('add_sub', gzipSync(addSubJson).subarray(0, -12), { 'content-encoding': 'gzip' });
    expect([answer.status, errorOf(answer)]).toEqual([400, 'the body is not valid gzip data: unexpected end of file']);
  });
});
