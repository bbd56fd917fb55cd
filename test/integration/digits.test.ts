/** All 1,797 pictures of handwritten digits through every form of the protocol, against onnxruntime-node on the same files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oracleOutputs } from '../support/oracle.js';
import { ProtocolClients, type Form } from '../support/protocols.js';
import { repositoryRoot, ServerProcess, shippedModels } from '../support/server-process.js';
import { fp32, type TestTensor } from '../support/tensors.js';

const PICTURES = 1797;
const PIXELS = 64;
const CLASSES = 10;
/** max_batch_size of the model. */
const BATCH = 64;
/** The first picture that the models were not trained on (models/digits/README.md). */
const FIRST_UNSEEN = 898;

const file = readFileSync(join(repositoryRoot, 'test/fixtures/digits.bin'));
const truth = [...file.subarray(PICTURES * PIXELS)];
const batches = Array.from({ length: Math.ceil(PICTURES / BATCH) }, (_, i) => {
  const pixels = file.subarray(i * BATCH * PIXELS, Math.min((i + 1) * BATCH, PICTURES) * PIXELS);
  return [fp32('image', [pixels.length / PIXELS, 1, 8, 8], pixels)];
});

interface Prediction {
  readonly labels: number[];
  readonly probabilities: Float32Array;
}

function joined(answers: readonly (readonly TestTensor[])[]): Prediction {
  const raw = (name: string): Buffer =>
    Buffer.concat(answers.map((outputs) => outputs.find((output) => output.name === name)?.raw ?? Buffer.alloc(0)));
  const labels = raw('label');
  const probabilities = raw('probabilities');
  return {
    labels: Array.from({ length: labels.length / 8 }, (_, i) => Number(labels.readBigInt64LE(i * 8))),
    probabilities: new Float32Array(Uint8Array.from(probabilities).buffer),
  };
}

let server: ServerProcess;
let clients: ProtocolClients;

beforeAll(async () => {
  server = await ServerProcess.start();
  clients = new ProtocolClients(server);
});

afterAll(async () => {
  await clients.close();
  await server.stop();
});

it('has a label for each picture', () => {
  expect(truth).toHaveLength(PICTURES);
  expect(new Set(truth)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
});

describe.each(['1', '2'])('version %s', (version) => {
  let golden: Prediction;

  beforeAll(async () => {
    golden = joined(await oracleOutputs(join(shippedModels, 'digits', version, 'model.onnx'), batches));
    expect(golden.labels).toHaveLength(PICTURES);
  });

  it.each<Form>(['HTTP JSON', 'HTTP binary', 'gRPC raw'])('answers as ONNX Runtime does, bit for bit: %s', async (form) => {
    const answers = await Promise.all(batches.map((inputs) => clients.infer(form, { model: 'digits', version, inputs })));
    expect(new Set(answers.map((answer) => answer.version))).toEqual(new Set([version]));
    const { labels, probabilities } = joined(answers.map(({ outputs }) => outputs));
    expect(labels).toEqual(golden.labels);
    expect(probabilities).toHaveLength(PICTURES * CLASSES);
    expect(probabilities).toEqual(golden.probabilities);
  });
});

it('version 2, the default, knows at least 97 % of the pictures that it has not been trained on', async () => {
  const answers = await Promise.all(batches.map((inputs) => clients.infer('gRPC raw', { model: 'digits', inputs, outputs: ['label'] })));
  const { labels } = joined(answers.map(({ outputs }) => outputs));
  const unseen = labels.slice(FIRST_UNSEEN);
  const right = unseen.filter((label, i) => label === truth[FIRST_UNSEEN + i]).length;
  expect(right / unseen.length).toBeGreaterThanOrEqual(0.97);
});
