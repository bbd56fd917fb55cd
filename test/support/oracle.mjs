/**
 * Runs a model in onnxruntime-node, which must not share a process with the server's addon or with the tests.
 * stdin: {"model":path,"batches":[[tensor...]...]}, stdout: [[tensor...]...]; a tensor is {name, datatype, shape, raw: base64}.
 */
import process from 'node:process';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const TYPES = { FP32: ['float32', Float32Array], INT64: ['int64', BigInt64Array], INT32: ['int32', Int32Array] };

function tensorOf({ datatype, shape, raw }) {
  const [type, ArrayType] = TYPES[datatype];
  const bytes = Uint8Array.from(Buffer.from(raw, 'base64'));
  return new Tensor(type, new ArrayType(bytes.buffer), shape);
}

function rawOf(name, { type, dims, data }) {
  const [datatype] = Object.entries(TYPES).find(([, [ortType]]) => ortType === type);
  return { name, datatype, shape: dims, raw: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64') };
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { model, batches } = JSON.parse(Buffer.concat(chunks).toString());
const session = await InferenceSession.create(model);
const answers = [];
for (const inputs of batches) {
  const outputs = await session.run(Object.fromEntries(inputs.map((input) => [input.name, tensorOf(input)])));
  answers.push(session.outputNames.map((name) => rawOf(name, outputs[name])));
}
process.stdout.write(JSON.stringify(answers));
