/** What every scenario starts from: the addon with nothing of ours above it, a running engine, fixture models in its catalog. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

export const addon = createRequire(import.meta.url)(at('build/native/penstock.node'));

const FP32 = 11;
const INT64 = 9;
const batched = (name, dataType) => ({ name, dataType, dims: [-1, -1], optional: false });

/** Requests run alone and wait without bounds. */
const ALONE = {
  merge: 'never',
  preferredBatchSizes: [],
  maxQueueDelayUs: 0,
  preserveOrdering: false,
  priorityLevels: 0,
  defaultPriorityLevel: 0,
  defaultQueuePolicy: { delays: false, defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 0 },
  priorityQueuePolicies: [],
  latencyGoalMs: 0,
  maxQueueSize: 0,
  maxQueueBytes: 0,
};

/** Fixture models that scenarios serve; what each does stands in test/fixtures/make_models.py. */
const MODELS = {
  identity_fp32: { maxBatchSize: 64, inputs: [batched('INPUT0', FP32)], outputs: [batched('OUTPUT0', FP32)] },
  big_out: {
    maxBatchSize: 0,
    inputs: [{ name: 'n', dataType: INT64, dims: [1], optional: false }],
    outputs: [{ name: 'ones', dataType: FP32, dims: [-1] }],
  },
  slow: {
    maxBatchSize: 0,
    inputs: [
      { name: 'iterations', dataType: INT64, dims: [1], optional: false },
      { name: 'x', dataType: FP32, dims: [1, 64, 64], optional: false },
    ],
    outputs: [{ name: 'y', dataType: FP32, dims: [1, 64, 64] }],
  },
};

const NO_GPU = {
  allowed: false,
  visibleDevices: '',
  minComputeCapability: 7.5,
  pinnedPoolBytes: 0,
  monitorIntervalMs: 1000,
  probeIntervalMs: 0,
  probeBytes: 4096,
  watchdogMs: 0,
};

export function startEngine() {
  addon.startEngine({
    ortLibrary: at(`node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}/libonnxruntime.so.1`),
    intraOpThreads: 1,
    maxRequestBytes: 64 << 20,
    maxInFlightRequests: 0,
    maxInFlightBytes: 0,
    laneSpinUs: 0,
    cpus: 2,
    gpu: NO_GPU,
  });
}

export const onCpu = (modelPath) => ({
  modelPath,
  intraOpThreads: 0,
  gpus: [],
  providerOptions: {},
  graphs: false,
  buckets: false,
  runsAtOnce: 1,
});

export const modelPath = (name) => at(`test/fixtures/models/${name}/1/model.onnx`);

/** A version of a fixture model with `lanes` threads; its session lives as long as it does. */
export async function createVersion(name, lanes = 1) {
  const session = await addon.openSession(onCpu(modelPath(name)));
  const nothing = { paddedInputs: [], cutOutputs: [], conversions: [] };
  const spec = { modelName: name, version: 1, lanes, lanesIfFaster: false, batching: ALONE, ...nothing, ...MODELS[name] };
  const { handle } = await addon.createVersion(session, spec);
  session.close();
  return handle;
}

export const catalogModel = (name, handle) => ({
  name,
  defaultVersion: 1,
  metadataJson: '{}',
  versions: [{ version: 1, handle, reason: '', metadataJson: '{}', configJson: '{}' }],
});

/** Starts the engine and serves fixture models, each with `lanes` threads. */
export async function serve(names, lanes = 1) {
  startEngine();
  const models = [];
  for (const name of names) models.push(catalogModel(name, await createVersion(name, lanes)));
  addon.publishCatalog(models);
}

/** Chunks and length of the JSON part of a request: FP32 rows for identity_fp32, asking for binary output. */
export function identityRequest(values) {
  const raw = Buffer.from(Float32Array.from(values).buffer);
  const input = { name: 'INPUT0', datatype: 'FP32', shape: [1, values.length], parameters: { binary_data_size: raw.length } };
  return binary([input], [raw]);
}

/** `bytes` of ones come back. */
export function bigOutRequest(bytes) {
  const raw = Buffer.from(BigInt64Array.of(BigInt(bytes / 4)).buffer);
  return binary([{ name: 'n', datatype: 'INT64', shape: [1], parameters: { binary_data_size: 8 } }], [raw]);
}

/** Takes about 0.1 ms an iteration, and can be stopped between two. */
export function slowRequest(iterations) {
  const inputs = [
    { name: 'iterations', datatype: 'INT64', shape: [1], parameters: { binary_data_size: 8 } },
    { name: 'x', datatype: 'FP32', shape: [1, 64, 64], parameters: { binary_data_size: 16384 } },
  ];
  return binary(inputs, [Buffer.from(BigInt64Array.of(BigInt(iterations)).buffer), Buffer.alloc(16384)]);
}

function binary(inputs, tensors) {
  const json = Buffer.from(JSON.stringify({ parameters: { binary_data_output: true }, inputs }));
  return { chunks: [json, ...tensors], jsonBytes: json.length };
}

/** Submits, and ends the process when the engine refuses. */
export function submit(sink, token, model, { chunks, jsonBytes }) {
  const refusal = sink.submitHttp(token, model, '', chunks, jsonBytes, 0);
  if (refusal !== null) throw new Error(`refused: ${JSON.stringify(refusal)}`);
}

export function expect(condition, what) {
  if (!condition) throw new Error(`expected ${what}`);
}
