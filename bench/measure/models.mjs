/** The generated models, repositories made of them, and requests for them whose answers are known. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomNumbers } from './random.mjs';
import { root } from './record.mjs';
import { scratch } from './processes.mjs';

/** Different rows, so that an answer to somebody else's request does not pass. */
export const DISTINCT_REQUESTS = 16;
const VARIABLE_LENGTHS = [16, 32, 64, 128];
export const TOKENS = 30522;

const folderOf = (model) => path.join(root, 'bench/models', model);
export const modelFile = (model) => path.join(folderOf(model), '1/model.onnx');

export function requireModels(...models) {
  const missing = models.filter((model) => !existsSync(modelFile(model)));
  if (missing.length > 0)
    throw new Error(`bench/models has no ${missing.join(', ')}: run python bench/make_models.py (see bench/README.md)`);
}

export const configOf = (model) => JSON.parse(readFileSync(path.join(folderOf(model), 'config.json'), 'utf8'));

/**
 * One lane and, with ONE_THREAD, one thread that does all the work of a model: the other core is left to front ends and clients, which
 * would be on other machines, and the CPU time of the lane is that of the model.
 */
export const ONE_LANE = { instance_group: [{ count: 1, kind: 'KIND_CPU' }] };
export const ONE_THREAD = ['--cpu-threads', '1'];

let repositories = 0;

/** A model repository. `served`: name to {model, ...fields that replace those of the model's own configuration}. Returns its folder. */
export function makeRepository(served) {
  const repository = path.join(scratch, `repository-${++repositories}`);
  for (const [name, { model, ...fields }] of Object.entries(served)) {
    const version = path.join(repository, name, '1');
    mkdirSync(version, { recursive: true });
    linkOrCopy(modelFile(model), path.join(version, 'model.onnx'));
    writeFileSync(path.join(repository, name, 'config.json'), JSON.stringify({ ...configOf(model), ...fields, name }));
  }
  return repository;
}

function linkOrCopy(from, to) {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // Another file system.
  }
}

/** Tensors of `rows` rows and, from onnxruntime-node in a process of its own, the FP32 values that the model makes of each. */
export function knownRequests(model, rows) {
  const [input] = configOf(model).input;
  const random = randomNumbers(rows);
  const tensors = Array.from({ length: DISTINCT_REQUESTS }, (_, index) => {
    const shape = [rows, ...input.dims.map((dim) => (dim < 0 ? VARIABLE_LENGTHS[index % VARIABLE_LENGTHS.length] : dim))];
    const count = shape.reduce((product, dim) => product * dim, 1);
    const isTokens = input.data_type === 'TYPE_INT64';
    const values = isTokens
      ? BigInt64Array.from({ length: count }, () => BigInt(1 + Math.floor(random() * (TOKENS - 1))))
      : Float32Array.from({ length: count }, random);
    return { name: input.name, datatype: isTokens ? 'INT64' : 'FP32', shape, bytes: Buffer.from(values.buffer) };
  });
  const batches = tensors.map(({ name, datatype, shape, bytes }) => [{ name, datatype, shape, raw: bytes.toString('base64') }]);
  const text = execFileSync(process.execPath, [path.join(root, 'test/support/oracle.mjs')], {
    input: JSON.stringify({ model: modelFile(model), batches }),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  const answers = JSON.parse(text);
  return tensors.map((tensor, index) => ({ tensor, expected: Buffer.from(answers[index][0].raw, 'base64') }));
}

/** The body of a V2 request with binary data both ways. `timeoutUs`: the request's deadline as told to the server; 0 = none. */
export function inferBody({ name, datatype, shape, bytes }, output, timeoutUs = 0) {
  const head = Buffer.from(
    JSON.stringify({
      ...(timeoutUs > 0 && { parameters: { timeout: timeoutUs } }),
      inputs: [{ name, datatype, shape, parameters: { binary_data_size: bytes.length } }],
      outputs: [{ name: output, parameters: { binary_data: true } }],
    }),
  );
  return { body: Buffer.concat([head, bytes]), jsonBytes: head.length };
}

/** One HTTP/1.1 request as bytes. */
export function httpRequest(url, body, headers = {}) {
  const lines = Object.entries({ Host: 'localhost', 'Content-Length': body.length, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return Buffer.concat([Buffer.from(`POST ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`), body]);
}

/** {bytes, expected} for http_load: infer requests to the model served as `name`. */
export function inferRequests(known, name, output = 'y', timeoutUs = 0) {
  return known.map(({ tensor, expected }) => {
    const { body, jsonBytes } = inferBody(tensor, output, timeoutUs);
    return { bytes: httpRequest(`/v2/models/${name}/infer`, body, { 'Inference-Header-Content-Length': jsonBytes }), expected };
  });
}
