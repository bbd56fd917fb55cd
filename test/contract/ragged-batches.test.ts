/** Requests of different length in one batch: nobody can tell from an answer whom it was shared with. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logLines } from '../support/log-lines.js';
import { writeFiles } from '../support/model-folder.js';
import { FORMS, ProtocolClients, type Answer, type Form } from '../support/protocols.js';
import { ServerProcess } from '../support/server-process.js';
import { int64, type TestTensor } from '../support/tensors.js';

const WORDS = { copyOf: 'test/fixtures/ragged_models/words/1/model.onnx' } as const;
const TENSORS = `input { name: "ids" data_type: TYPE_INT64 dims: [ -1 ] } input { name: "mask" data_type: TYPE_INT64 dims: [ -1 ] }
  output { name: "hidden" data_type: TYPE_FP32 dims: [ -1, 2 ] } output { name: "pooled" data_type: TYPE_FP32 dims: [ 2 ] }
  output { name: "pairs" data_type: TYPE_FP32 dims: [ -1, -1 ] }`;
const padded = (text: string): string => `parameters { key: "pad_to_longest" value { string_value: "${text}" } }`;
/** Waits for so many rows, far longer than a test does. */
const waiting = (rows: number): string =>
  `max_batch_size: 16 instance_group { count: 1 } dynamic_batching { preferred_batch_size: ${rows} max_queue_delay_microseconds: 60000000 }`;
/** Long enough for requests that are sent together to meet. */
const BRIEFLY = 'max_batch_size: 16 instance_group { count: 1 } dynamic_batching { max_queue_delay_microseconds: 20000 }';

const repository = mkdtempSync(join(tmpdir(), 'penstock-ragged-'));
let server: ServerProcess;
let clients: ProtocolClients;

beforeAll(async () => {
  const configs = {
    alone: `max_batch_size: 16 ${TENSORS}`,
    pair: `${waiting(2)} ${padded('ids=7,mask')}`,
    triple: `${waiting(3)} ${padded('ids,mask')}`,
    unpadded: BRIEFLY,
    many: `${BRIEFLY} ${padded('ids=1,mask=0')}`,
    checked: padded('ids=7,mask=0'),
    felt: padded('ids=7,mask=1'),
  };
  for (const [name, text] of Object.entries(configs)) {
    writeFiles(repository, { [`${name}/1/model.onnx`]: WORDS, [`${name}/config.pbtxt`]: text });
  }
  server = await ServerProcess.start({ repositories: [repository] });
  clients = new ProtocolClients(server);
});

afterAll(async () => {
  await clients.close();
  expect(await server.stop()).toBe(0);
  rmSync(repository, { recursive: true });
});

/** Rows of `length` words, of which the last of each row is masked out. */
function sentence(length: number, rows = 1, first = 3): TestTensor[] {
  const values = Array.from({ length: rows * length }, (_, i) => i);
  return [
    int64(
      'ids',
      [rows, length],
      values.map((i) => BigInt((first + 7 * i) % 100)),
    ),
    int64(
      'mask',
      [rows, length],
      values.map((i) => (i % length === length - 1 ? 0n : 1n)),
    ),
  ];
}

async function ask(model: string, form: Form, inputs: readonly TestTensor[]): Promise<Answer['outputs']> {
  return (await clients.infer(form, { model, inputs })).outputs;
}

async function statistics(model: string): Promise<{ readonly inference_count: number; readonly execution_count: number }> {
  const answer = await fetch(`${server.httpUrl}/v2/models/${model}/stats`);
  const { model_stats: [found] = [] } = (await answer.json()) as { model_stats: { inference_count: number; execution_count: number }[] };
  if (found === undefined) throw new Error(`no statistics of ${model}`);
  return found;
}

describe('two clients with texts of different length', () => {
  it.each(FORMS)('share one run over %s, and each gets bit by bit what it gets alone', async (form) => {
    const before = await statistics('pair');
    const texts = [sentence(5), sentence(8, 1, 50)];
    const answers = await Promise.all(texts.map((inputs) => ask('pair', form, inputs)));
    const after = await statistics('pair');
    expect(after.inference_count - before.inference_count).toBe(2);
    expect(after.execution_count - before.execution_count).toBe(1);
    expect(answers.map((outputs) => outputs.map(({ shape }) => shape))).toEqual([
      [
        [1, 5, 2],
        [1, 2],
        [1, 5, 5],
      ],
      [
        [1, 8, 2],
        [1, 2],
        [1, 8, 8],
      ],
    ]);
    expect(answers).toEqual(await Promise.all(texts.map((inputs) => ask('alone', form, inputs))));
  });

  it('share one run over HTTP and gRPC together, with several rows in a request', async () => {
    const texts = [sentence(3, 2), sentence(4, 1, 50)];
    const [http, grpc] = [ask('triple', 'HTTP binary', texts[0] ?? []), ask('triple', 'gRPC raw', texts[1] ?? [])];
    expect([await http, await grpc]).toEqual([
      await ask('alone', 'HTTP binary', texts[0] ?? []),
      await ask('alone', 'gRPC raw', texts[1] ?? []),
    ]);
    expect(await statistics('triple')).toMatchObject({ inference_count: 3, execution_count: 1 });
  });

  it('do not meet where padding would double the shorter one, nor without the parameter', async () => {
    const lengths: readonly [string, number, number][] = [
      ['many', 4, 8],
      ['unpadded', 5, 8],
    ];
    for (const [model, one, other] of lengths) {
      const before = await statistics(model);
      const texts = [sentence(one), sentence(other)];
      const answers = await Promise.all(texts.map((inputs) => ask(model, 'HTTP binary', inputs)));
      expect(answers).toEqual(await Promise.all(texts.map((inputs) => ask('alone', 'HTTP binary', inputs))));
      expect((await statistics(model)).execution_count - before.execution_count).toBe(2);
    }
  });
});

it('whatever the lengths and the rows of those that are there at once, each gets what it gets alone', async () => {
  // A fixed sequence (Park and Miller), so that a failure comes again.
  let state = 20_240_607;
  const below = (end: number): number => (state = (state * 48_271) % 2_147_483_647) % end;
  const before = await statistics('many');
  for (let round = 0; round < 5; round++) {
    const texts = Array.from({ length: 24 }, () => sentence(1 + below(33), 1 + below(3), below(100)));
    const forms = texts.map(() => FORMS[below(FORMS.length)] ?? 'HTTP JSON');
    const answers = await Promise.all(texts.map((inputs, i) => ask('many', forms[i] ?? 'HTTP JSON', inputs)));
    expect(answers).toEqual(await Promise.all(texts.map((inputs, i) => ask('alone', forms[i] ?? 'HTTP JSON', inputs))));
  }
  expect((await statistics('many')).execution_count - before.execution_count).toBeLessThan(5 * 24);
});

it.each(FORMS)('inputs that disagree in their length get what the model says to them alone: %s', async (form) => {
  const [ids, mask] = [sentence(5)[0], sentence(6)[1]];
  if (ids === undefined || mask === undefined) throw new Error('no sentence');
  const inputs = [ids, mask];
  const asked = Promise.all([ask('many', form, sentence(5)), ask('many', form, sentence(6))]);
  const [padded, alone] = await Promise.all(['many', 'alone'].map((model) => clients.refusal(form, { model, inputs })));
  expect(padded).toEqual(alone);
  expect(await asked).toEqual(await Promise.all([ask('alone', form, sentence(5)), ask('alone', form, sentence(6))]));
});

it('a model whose rows feel their padding goes without, and the log says why', async () => {
  const warnings = (model: string): string[] =>
    logLines(server)
      .filter((line) => line['model'] === model || line.msg.includes(model))
      .map(({ msg }) => msg);
  expect(warnings('felt').join('\n')).toContain('rows of different length cannot share a batch: output "pooled"');
  expect(warnings('checked').join('\n')).not.toContain('rows of different length');
  const texts = [sentence(5), sentence(8, 3)];
  for (const model of ['felt', 'checked']) {
    const answers = await Promise.all(texts.map((inputs) => ask(model, 'HTTP binary', inputs)));
    expect(answers).toEqual(await Promise.all(texts.map((inputs) => ask('alone', 'HTTP binary', inputs))));
  }
});

it('the configuration says what is padded, with every value, and nothing of padding that was refused', async () => {
  const parametersOf = async (model: string): Promise<unknown> =>
    ((await (await fetch(`${server.httpUrl}/v2/models/${model}/config`)).json()) as { readonly parameters: unknown }).parameters;
  expect(await parametersOf('pair')).toEqual({ pad_to_longest: { string_value: 'ids=7,mask=0' } });
  expect(await parametersOf('felt')).toEqual({});
});
