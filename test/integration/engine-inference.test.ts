import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addon } from '../../src/bridge/addon.js';
import { loadDefinitions } from '../../src/frontend/grpc/definitions.js';
import { serveFixtures, TestSink } from '../support/engine.js';
import { binaryRequest, bytes, fp32, readBinaryReply, type TestTensor } from '../support/tensors.js';

/** Three elements as JSON text, exactly as the reply must have them. */
const JSON_DATA: Readonly<Record<string, string>> = {
  BOOL: '[true,false,true]',
  UINT8: '[0,1,255]',
  UINT16: '[0,1,65535]',
  UINT32: '[0,1,4294967295]',
  UINT64: '[0,9007199254740993,18446744073709551615]',
  INT8: '[-128,0,127]',
  INT16: '[-32768,0,32767]',
  INT32: '[-2147483648,0,2147483647]',
  INT64: '[-9223372036854775808,9007199254740993,9223372036854775807]',
  FP16: '[-2,0.5,65504]',
  BF16: '[-2,0.5,1024]',
  FP32: '[-2,0.5,16777216]',
  FP64: '[-2,0.1,9007199254740992]',
  BYTES: '["a","grün",""]',
};

const fixtureOf = (datatype: string): string => `identity_${datatype === 'BYTES' ? 'string' : datatype.toLowerCase()}`;
const sizes = new Map(addon.dataTypes().map(([, name, size]) => [name, size]));

/** Elements with every byte pattern that comes; an identity must not look at them. */
function patterned(datatype: string, columns: number): TestTensor {
  const shape = [2, columns];
  if (datatype === 'BYTES') {
    const elements = Array.from({ length: 2 * columns }, (_, i) => Buffer.alloc(i % 5, i));
    return bytes('INPUT0', shape, elements);
  }
  const raw = Buffer.alloc(2 * columns * (sizes.get(datatype) ?? 0));
  raw.forEach((_, i) => (raw[i] = datatype === 'BOOL' ? i % 2 : (i * 37) % 256));
  return { name: 'INPUT0', datatype, shape, raw };
}

let sink: TestSink;
const modelInfer = loadDefinitions().inference['ModelInfer'];

beforeAll(async () => {
  await serveFixtures([...Object.keys(JSON_DATA).map(fixtureOf), 'two_in_one_out', 'nonzero', 'scalar', 'fails_at_run'], { lanes: 2 });
  sink = new TestSink();
});

afterAll(() => addon.stopEngine());

describe.each(Object.keys(JSON_DATA))('%s tensors come back as they went in', (datatype) => {
  it.each([
    ['small enough to be a text', 3],
    ['in ranges of native memory', 5000],
  ])('through V2 binary, %s', async (_what, columns) => {
    const input = patterned(datatype, columns);
    const { status, message, head, jsonBytes, tails, ranges } = await sink.infer(fixtureOf(datatype), [input]);
    expect([status, message, jsonBytes]).toEqual([0, '', head?.length]);
    const body = Buffer.concat([head ?? Buffer.alloc(0), ...tails]);
    expect(readBinaryReply(body, head?.length ?? 0).outputs).toEqual([{ ...input, name: 'OUTPUT0' }]);
    expect(ranges.length > 0).toBe(input.raw.length > 4096);
    sink.native.release(ranges);
  });

  it('through V2 JSON', async () => {
    const data = JSON_DATA[datatype] ?? '';
    const body = Buffer.from(`{"id":"j","inputs":[{"name":"INPUT0","datatype":"${datatype}","shape":[1,3],"data":${data}}]}`);
    const { head, jsonBytes, requestId } = await sink.submit(fixtureOf(datatype), body).done;
    expect(String(head)).toContain(`"data":${data}`);
    expect([jsonBytes, requestId]).toEqual([-1, 'j']);
  });

  it('through gRPC', async () => {
    const { raw, ...input } = patterned(datatype, 40);
    const request = { model_name: fixtureOf(datatype), id: 'g', inputs: [input], raw_input_contents: [raw] };
    const { head, requestId, tails } = await sink.submitGrpc(modelInfer?.requestSerialize(request) ?? Buffer.alloc(0)).done;
    const reply = modelInfer?.responseDeserialize(head ?? Buffer.alloc(0)) as { raw_output_contents: Buffer[]; id: string };
    expect(reply.raw_output_contents.map((output) => Buffer.from(output))).toEqual([raw]);
    expect([requestId, reply.id, tails]).toEqual(['g', 'g', []]);
  });
});

describe('models of other forms', () => {
  it('take two inputs, of any order in the request', async () => {
    const [a, b] = [fp32('INPUT0', [1, 2], [1, 2]), fp32('INPUT1', [1, 1], [3])];
    const { tails } = await sink.infer('two_in_one_out', [b, a]);
    expect(Buffer.concat(tails)).toEqual(fp32('', [], [1, 2, 3]).raw);
  });

  it('give an output whose shape only the run knows', async () => {
    const { head } = await sink.infer('nonzero', [fp32('INPUT0', [2, 2], [0, 1, 1, 0])]);
    expect(JSON.parse(String(head))).toMatchObject({ outputs: [{ shape: [2, 2], datatype: 'INT64' }] });
  });

  it('take a scalar', async () => {
    const { tails } = await sink.infer('scalar', [fp32('INPUT0', [], [5])]);
    expect(Buffer.concat(tails).readFloatLE()).toBe(-5);
  });

  it('that fail while running say so, and the next request is well', async () => {
    const index = (value: bigint): TestTensor => ({
      name: 'INPUT0',
      datatype: 'INT64',
      shape: [1, 1],
      raw: Buffer.from(BigInt64Array.of(value).buffer),
    });
    expect(await sink.infer('fails_at_run', [index(9n)])).toMatchObject({ status: 304, head: null, tails: [], ranges: [] });
    expect(await sink.infer('fails_at_run', [index(2n)])).toMatchObject({ status: 0 });
  });
});

describe('completions', () => {
  it('of one turn come in few calls', async () => {
    const one = binaryRequest([fp32('INPUT0', [1, 1], [1])]);
    const own = new TestSink();
    const completions = await Promise.all(Array.from({ length: 256 }, () => own.submit('identity_fp32', one).done));
    expect(completions.every(({ status }) => status === 0)).toBe(true);
    expect(own.completions).toBe(256);
    expect(own.callbacks).toBeLessThan(64);
  });

  it('never come from inside the submitting call', () => {
    const own = new TestSink();
    for (let i = 0; i < 100; i++) void own.submit('identity_fp32', binaryRequest([fp32('INPUT0', [1, 1], [1])]));
    const wait = performance.now() + 20;
    while (performance.now() < wait);
    expect(own.callbacks).toBe(0);
  });

  it('come on the thread that submitted, and none is run on the pool of libuv', async () => {
    // Four blocked pool threads stop everything that needs one.
    const { pbkdf2 } = await import('node:crypto');
    let hashes = 0;
    for (let i = 0; i < 8; i++) pbkdf2('p', 's', 400_000, 64, 'sha512', () => hashes++);
    const { status } = await sink.infer('identity_fp32', [fp32('INPUT0', [1, 1], [1])]);
    expect([status, hashes]).toEqual([0, 0]);
  });

  it('carry the request id when the request is refused, too', async () => {
    const body = Buffer.from('{"id":"r","inputs":[{"name":"INPUT0","datatype":"INT64","shape":[1,1],"data":[1]}]}');
    expect(await sink.submit('identity_fp32', body).done).toMatchObject({ status: 200, requestId: 'r' });
  });
});
