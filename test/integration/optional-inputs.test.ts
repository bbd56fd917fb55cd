import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { batchesOf, busyGrpcRequest, BusyModel, untilQueued } from '../support/busy-model.js';
import { GrpcClient, HttpClient } from '../support/clients.js';
import { logLines } from '../support/log-lines.js';
import { modelFolder } from '../support/model-folder.js';
import { fixtureModels, optionalModels, ServerProcess } from '../support/server-process.js';
import { fp32, type TestTensor } from '../support/tensors.js';

const SCALED = { copyOf: 'test/fixtures/optional_models/scaled/1/model.onnx' } as const;

let server: ServerProcess;
let grpc: GrpcClient;
let http: HttpClient;

beforeAll(async () => {
  server = await ServerProcess.start({ repositories: [optionalModels, fixtureModels] });
  grpc = new GrpcClient(server.grpcAddress);
  http = new HttpClient(server.httpUrl);
});

afterAll(async () => {
  grpc.close();
  await http.close();
  await server.stop();
});

async function json(client: HttpClient, path: string): Promise<unknown> {
  return JSON.parse((await client.get(path)).body.toString('utf8'));
}

/** Values of which no product is exact. */
const x = (rows: number, first: number): TestTensor =>
  fp32(
    'x',
    [rows, 3],
    Array.from({ length: 3 * rows }, (_, i) => 0.1 * (first + i)),
  );
const scale = (factors: readonly number[]): TestTensor => fp32('scale', [factors.length, 1], [...factors]);

/** The rows of `input`, each times its factor; 3 is what the model file has for whoever gives none. */
function scaledRows(input: TestTensor, factors: readonly number[] = []): number[][] {
  return Array.from({ length: input.shape[0] ?? 0 }, (_, row) =>
    [0, 1, 2].map((column) => Math.fround(input.raw.readFloatLE(4 * (3 * row + column)) * Math.fround(factors[row] ?? 3))),
  );
}

describe('requests with and without an optional input', () => {
  it('never meet in one batch, and each gets the bits of its own rows', async () => {
    const busy = new BusyModel(server);
    const release = await busy.occupy(3, 'scaled');
    const before = await batchesOf(server, 'scaled');
    const cases = Array.from({ length: 40 }, (_, i) => {
      const rows = 1 + (i % 2);
      const factors = [0.7 + i, 1 / (i + 1)].slice(0, rows);
      return i % 4 < 2 ? { input: x(rows, i), factors: undefined } : { input: x(rows, i), factors };
    });
    const inputsOf = ({ input, factors }: (typeof cases)[number]): TestTensor[] =>
      factors === undefined ? [input] : [scale(factors), input];
    const asked = cases.map((one, i) => {
      const inputs = inputsOf(one);
      if (i % 8 >= 4) return busy.ask(inputs, {}, 'scaled').answer.then(({ rows }) => rows);
      const call = grpc.infer({ ...busyGrpcRequest(inputs), model_name: 'scaled' });
      return call.then(({ raw_output_contents: [raw = Buffer.alloc(0)] }) => scaledRows({ ...one.input, raw }, [1, 1]));
    });
    await untilQueued(server, cases.length, 'scaled');
    await release();
    expect(await Promise.all(asked)).toEqual(cases.map(({ input, factors }) => scaledRows(input, factors)));
    const after = await batchesOf(server, 'scaled');
    const sizes = [...after.sizes].flatMap(([size, count]) => Array<number>(count - (before.sizes.get(size) ?? 0)).fill(size));
    // Thirty rows of each kind; together they would have fitted into one batch of 64.
    expect(sizes).toEqual([30, 30]);
  });
});

describe('the documents of a model', () => {
  it('say which inputs are optional, and list them like all others', async () => {
    expect(await json(http, '/v2/models/scaled')).toMatchObject({
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [-1, -1] },
        { name: 'scale', datatype: 'FP32', shape: [-1, 1] },
        { name: 'turns', datatype: 'INT64', shape: [-1, 1] },
      ],
    });
    const inputs = [
      { name: 'x', optional: false },
      { name: 'scale', optional: true },
      { name: 'turns', optional: true },
    ];
    expect(await json(http, '/v2/models/scaled/config')).toMatchObject({ input: inputs });
    expect(await grpc.call('ModelConfig', { name: 'scaled' })).toMatchObject({ config: { input: inputs } });
  });

  it('know nothing of optional inputs that no configuration names, and neither do requests', async () => {
    const other = await ServerProcess.start({
      repositories: [
        modelFolder({
          'plain/1/model.onnx': SCALED,
          'strict/1/model.onnx': SCALED,
          'strict/config.pbtxt': 'input { name: "x" optional: true }',
        }),
      ],
    });
    const client = new HttpClient(other.httpUrl);
    onTestFinished(async () => {
      await client.close();
      await other.stop();
    });
    expect(await json(client, '/v2/models/plain')).toMatchObject({ inputs: [{ name: 'x' }] });
    const input = x(2, 5);
    const [y] = await client.inferBinary('plain', [input]);
    expect(y?.raw).toEqual(fp32('y', [2, 3], scaledRows(input).flat()).raw);
    expect((await client.get('/v2/models/strict/ready')).status).toBe(404);
    const line = logLines(other).find((one) => one.level === 'error' && one['model'] === 'strict');
    expect(line).toMatchObject({ code: 'ERR_MODEL_CONFIG' });
    expect(line?.msg).toContain('input[0].optional: found true, expected false, because the model file requires input "x"');
  });
});
