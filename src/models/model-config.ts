/** The configuration of a model: Triton's fields and meanings, typed, out of config.pbtxt or config.json. */
import { configDataType, DATA_TYPE_NAMES, dataTypeOfConfig, type DataTypeName } from '../bridge/data-type.js';
import { readDynamicBatching, type DynamicBatching } from './batching-config.js';
import { configError, shown, type ConfigFault } from './config-fault.js';
import { ConfigReader, type ConfigFindings } from './config-reader.js';
import { DEFAULT_CUDA_OPTIONS, readCudaParameter, readGpuOptimization, type CudaOptions } from './cuda-options.js';
import { INPUT_CONVERSION, readInputConversion, type InputConversion } from './input-conversion.js';
import { PAD_TO_LONGEST, readPadding, type Padding } from './pad-to-longest.js';
import { DEFAULT_VERSION_POLICY, type VersionPolicy } from './version-policy.js';

export interface ConfigTensor {
  readonly name: string;
  /** What clients send; undefined = as the model file has it, or its conversion. */
  readonly dataType: DataTypeName | undefined;
  /** Without the batch dimension when the model is batched; -1 = any; undefined = as the model file has them. */
  readonly dims: readonly number[] | undefined;
  /** Informational, inputs only. */
  readonly format: TensorFormat;
  /** Inputs: clients may leave it out. */
  readonly optional: boolean;
}

export interface InstanceGroup {
  /** Empty = made from the model's name. */
  readonly name: string;
  /** Concurrent runs; 0 = the server's default. */
  readonly count: number;
  readonly kind: InstanceKind;
  /** Positions in the list of usable GPUs; empty = all of them. */
  readonly gpus: readonly number[];
}

export interface ModelConfig {
  /** Empty = the folder's name. */
  readonly name: string;
  /** undefined = not given, which is not the same as 0 (not batched). */
  readonly maxBatchSize: number | undefined;
  /** Empty = as the model file has them. */
  readonly inputs: readonly ConfigTensor[];
  readonly outputs: readonly ConfigTensor[];
  readonly instanceGroups: readonly InstanceGroup[];
  readonly versionPolicy: VersionPolicy;
  /** A simple file name, never a path. */
  readonly modelFilename: string;
  /** undefined = no scheduler is given. */
  readonly batching: DynamicBatching | undefined;
  /** Parameter `latency_goal_ms`: milliseconds that a request without a deadline of its own may take; 0 = none. */
  readonly latencyGoalMs: number;
  /** For runs on GPUs. */
  readonly cudaOptions: CudaOptions;
  /** Runs on GPUs are recorded and replayed as CUDA graphs. */
  readonly cudaGraphs: boolean;
  /** Inputs that clients send in another type than the model file has. */
  readonly conversions: readonly InputConversion[];
  /** Inputs whose rows are padded, so that requests of different length share a batch. */
  readonly padding: readonly Padding[];
}

const FORMATS = ['FORMAT_NONE', 'FORMAT_NHWC', 'FORMAT_NCHW'] as const;
const KINDS = ['KIND_AUTO', 'KIND_GPU', 'KIND_CPU', 'KIND_MODEL'] as const;
export type TensorFormat = (typeof FORMATS)[number];
export type InstanceKind = (typeof KINDS)[number];

const PLATFORM = 'onnxruntime_onnx';
const BACKEND = 'onnxruntime';
const DEFAULT_FILENAME = 'model.onnx';
const DATA_TYPES = DATA_TYPE_NAMES.map(configDataType);
const MAX_INT32 = 2 ** 31 - 1;
/** Threads of one model; far above what helps, far below what harms. */
export const MAX_INSTANCES = 256;
/** Our own parameter, where Triton has no field: what admission and dispatch work for. */
export const LATENCY_GOAL = 'latency_goal_ms';
/** A day. */
const MAX_LATENCY_GOAL_MS = 24 * 3600 * 1000;
/** Batch dimension included; the engine's limit for requests is the same. */
const MAX_DIMS = 32;

/** What no configuration at all says. */
export const EMPTY_CONFIG: ModelConfig = {
  name: '',
  maxBatchSize: undefined,
  inputs: [],
  outputs: [],
  instanceGroups: [],
  versionPolicy: DEFAULT_VERSION_POLICY,
  modelFilename: DEFAULT_FILENAME,
  batching: undefined,
  latencyGoalMs: 0,
  cudaOptions: DEFAULT_CUDA_OPTIONS,
  cudaGraphs: false,
  conversions: [],
  padding: [],
};

/**
 * `tree` is parsed pbtxt or JSON; `source` names the file. The warnings name fields that are passed over.
 * Throws one ERR_MODEL_CONFIG that holds every fault.
 */
export function readModelConfig(tree: unknown, source: string): { readonly config: ModelConfig; readonly warnings: readonly string[] } {
  const findings: ConfigFindings = { faults: [], warnings: [] };
  const reader = new ConfigReader(tree, '', findings);
  checkEngine(reader);
  refuseOtherSemantics(reader);
  const batching = reader.message('dynamic_batching');
  const config: ModelConfig = {
    name: reader.text('name'),
    maxBatchSize: reader.integer('max_batch_size', 0, MAX_INT32),
    inputs: readTensors(reader, 'input', findings.faults),
    outputs: readTensors(reader, 'output', findings.faults),
    instanceGroups: reader.messages('instance_group').map(readInstanceGroup),
    versionPolicy: readVersionPolicy(reader.message('version_policy')),
    modelFilename: readFilename(reader),
    batching: batching === undefined ? undefined : readDynamicBatching(batching),
    ...readParameters(reader),
  };
  reader.ignore('cc_model_filenames', 'metric_tags', 'model_warmup', 'model_operations', 'response_cache', 'runtime');
  reader.ignore('model_metrics');
  reader.finish();
  const instances = config.instanceGroups.reduce((sum, group) => sum + group.count, 0);
  if (instances > MAX_INSTANCES) reader.fault('instance_group', `counts of ${MAX_INSTANCES} in all at most`, 'lower the counts');
  if (findings.faults.length > 0) throw configError(source, findings.faults);
  return { config, warnings: findings.warnings.map((warning) => `${source}: ${warning}`) };
}

function checkEngine(reader: ConfigReader): void {
  const platform = reader.text('platform');
  const backend = reader.text('backend');
  if (platform !== '' && platform !== PLATFORM)
    reader.fault('platform', shown(PLATFORM), `this server runs ONNX models: write "${PLATFORM}"`);
  if (backend !== '' && backend !== BACKEND) reader.fault('backend', shown(BACKEND), `this server runs ONNX models: write "${BACKEND}"`);
}

function refuseOtherSemantics(reader: ConfigReader): void {
  const remove = 'remove it, or serve this model elsewhere';
  reader.refuse('ensemble_scheduling', 'ensembles are not supported', remove);
  reader.refuse('sequence_batching', 'sequences are not supported', remove);
  reader.refuse('batch_input', 'ragged batches are not supported', remove);
  reader.refuse('batch_output', 'ragged batches are not supported', remove);
  reader.refuse('model_repository_agents', 'model files are served as they are', 'remove it and store the model file in its final form');
  const transactions = reader.message('model_transaction_policy');
  transactions?.refuse('decoupled', 'every request gets one response', remove);
  transactions?.finish();
}

function readTensors(reader: ConfigReader, field: 'input' | 'output', faults: ConfigFault[]): readonly ConfigTensor[] {
  const seen = new Set<string>();
  return reader.messages(field).map((tensor) => {
    const name = tensor.text('name');
    if (name === '') tensor.fault('name', 'the name of a tensor of the model file', 'write its name');
    if (name !== '' && seen.has(name)) tensor.fault('name', `a name that no other ${field} has`, 'remove one of the two');
    seen.add(name);
    const typeName = tensor.choice('data_type', DATA_TYPES);
    const dataType = typeName === undefined ? undefined : dataTypeOfConfig(typeName);
    if (typeName !== undefined && dataType === undefined) tensor.fault('data_type', 'a data type', 'write it, or leave data_type out');
    const dims = tensor.integers('dims', -1, Number.MAX_SAFE_INTEGER);
    dims?.forEach((dim, i) => {
      const expected = 'a size from 1, or -1 for any';
      if (dim === 0) faults.push({ field: `${tensor.pathOf('dims')}[${i}]`, found: '0', expected, fix: 'write -1 where sizes vary' });
    });
    if (dims !== undefined && dims.length >= MAX_DIMS) tensor.fault('dims', `fewer than ${MAX_DIMS} dimensions`, 'use a smaller rank');

    tensor.refuse('reshape', 'tensors are served in the shape of the model file', 'give the dims of the model file and remove reshape');
    tensor.refuse('is_shape_tensor', 'TensorRT only', 'remove it');
    tensor.refuse('is_non_linear_format_io', 'TensorRT only', 'remove it');
    if (field === 'input') {
      const instead = `remove it; to have rows padded to the longest of their batch, name this input in parameters ${PAD_TO_LONGEST}`;
      tensor.refuse('allow_ragged_batch', 'rows of different length are not joined unpadded', instead);
    } else {
      tensor.ignore('label_filename');
    }
    const optional = field === 'input' && tensor.flag('optional');
    const format = (field === 'input' ? tensor.choice('format', FORMATS) : undefined) ?? 'FORMAT_NONE';
    tensor.finish();
    return { name, dataType, dims, format, optional };
  });
}

function readInstanceGroup(group: ConfigReader): InstanceGroup {
  const read = {
    name: group.text('name'),
    count: group.integer('count', 0, MAX_INSTANCES) ?? 0,
    kind: group.choice('kind', KINDS) ?? 'KIND_AUTO',
    gpus: group.integers('gpus', 0, MAX_INT32) ?? [],
  };
  if (read.kind === 'KIND_CPU' && read.gpus.length > 0) group.fault('gpus', 'none, because kind is KIND_CPU', 'remove one of the two');
  group.ignore('profile', 'rate_limiter', 'passive', 'secondary_devices', 'host_policy');
  group.finish();
  return read;
}

function readVersionPolicy(policy: ConfigReader | undefined): VersionPolicy {
  if (policy === undefined) return DEFAULT_VERSION_POLICY;
  const latest = policy.message('latest');
  const all = policy.message('all');
  const specific = policy.message('specific');
  const count = latest?.integer('num_versions', 0, MAX_INT32) ?? 0;
  const versions = specific?.integers('versions', 1, Number.MAX_SAFE_INTEGER) ?? [];
  const given = [latest, all, specific].filter((choice) => choice !== undefined);
  for (const choice of given) choice.finish();
  policy.finish();
  if (given.length > 1) policy.fault('latest', 'only one of latest, all and specific', 'keep one of them');
  if (specific !== undefined && versions.length === 0)
    policy.fault('specific', 'at least one version', 'write specific { versions: [ 1 ] }');
  if (specific !== undefined) return { kind: 'specific', versions };
  if (all !== undefined) return { kind: 'all' };
  return { kind: 'latest', count: Math.max(1, count) };
}

function readFilename(reader: ConfigReader): string {
  const name = reader.text('default_model_filename');
  if (name === '') return DEFAULT_FILENAME;
  if (/[/\\\0]/.test(name) || name.startsWith('.')) {
    reader.fault('default_model_filename', 'a file name without a path', 'put the file into the version folder and give its name alone');
  }
  return name;
}

/** Parameters are free in Triton: those of other servers and backends are passed over. */
function readParameters(
  reader: ConfigReader,
): Pick<ModelConfig, 'latencyGoalMs' | 'cudaOptions' | 'cudaGraphs' | 'conversions' | 'padding'> {
  let latencyGoalMs = 0;
  const cudaOptions: Record<string, string> = { ...DEFAULT_CUDA_OPTIONS };
  const conversions: InputConversion[] = [];
  const padding: Padding[] = [];
  for (const [key, parameter] of reader.map('parameters')) {
    if (key === LATENCY_GOAL) latencyGoalMs = readMilliseconds(parameter);
    else if (key.startsWith(INPUT_CONVERSION)) conversions.push(...readInputConversion(key, parameter));
    else if (key === PAD_TO_LONGEST) padding.push(...readPadding(parameter));
    else if (!readCudaParameter(key, parameter, cudaOptions)) parameter.ignore('string_value');
    parameter.finish();
  }
  const optimization = reader.message('optimization');
  optimization?.accept('input_pinned_memory', 'output_pinned_memory');
  optimization?.ignore('graph', 'priority', 'gather_kernel_buffer_threshold', 'eager_batching');
  const cudaGraphs = optimization !== undefined && readGpuOptimization(optimization, cudaOptions);
  optimization?.finish();
  return { latencyGoalMs, cudaOptions, cudaGraphs, conversions, padding };
}

function readMilliseconds(parameter: ConfigReader): number {
  const text = parameter.text('string_value');
  const milliseconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (milliseconds > 0 && milliseconds <= MAX_LATENCY_GOAL_MS) return milliseconds;
  const expected = `milliseconds above 0, at most ${MAX_LATENCY_GOAL_MS}, as text`;
  parameter.fault('string_value', expected, 'write a number such as "50", or remove the parameter');
  return 0;
}
