/** The two documents that clients read about a model, as ready JSON text: V2 metadata, and the configuration with every default filled in. */
import { configDataType, dataTypeName } from '../bridge/data-type.js';
import type { NativeApiTensor, NativeCreatedVersion } from '../bridge/control.js';
import type { CompleteConfig, CompleteTensor } from './auto-config.js';
import { batchingDocument } from './batching-config.js';
import { gpuOptimizationDocument } from './cuda-options.js';
import { conversionParameters } from './input-conversion.js';
import { runningGroups, type LanePlan } from './instance-lanes.js';
import { LATENCY_GOAL, type ModelConfig } from './model-config.js';
import { paddingParameters } from './pad-to-longest.js';
import type { ApiSignature } from './signature-check.js';
import type { VersionPolicy } from './version-policy.js';

export type Running = Pick<NativeCreatedVersion, 'lanes' | 'merges' | 'pads'>;

const PLATFORM = 'onnxruntime_onnx';

/** `versions`: the ready ones, rising; or just the one that was asked for. */
export function metadataDocument(name: string, versions: readonly number[], api: ApiSignature): string {
  return JSON.stringify({
    name,
    versions: versions.map(String),
    platform: PLATFORM,
    inputs: api.inputs.map(metadataOf),
    outputs: api.outputs.map(metadataOf),
  });
}

function metadataOf({ name, dataType, dims }: NativeApiTensor): object {
  return { name, datatype: dataTypeName(dataType), shape: dims };
}

/**
 * ModelConfig as JSON: proto field names, enums by name, 64-bit values as numbers. `given` is what the configuration file said; `running`
 * is what the engine has made of it.
 */
export function configDocument(name: string, given: ModelConfig, config: CompleteConfig, lanes: LanePlan, running: Running): string {
  return JSON.stringify({
    name,
    platform: PLATFORM,
    backend: 'onnxruntime',
    runtime: '',
    version_policy: policyDocument(given.versionPolicy),
    max_batch_size: config.maxBatchSize,
    input: config.inputs.map((tensor) => ({
      ...tensorDocument(tensor),
      format: tensor.format,
      allow_ragged_batch: false,
      optional: tensor.optional,
    })),
    output: config.outputs.map((tensor) => ({ ...tensorDocument(tensor), label_filename: '' })),
    batch_input: [],
    batch_output: [],
    // Only what the engine does.
    ...(lanes.gpus.length > 0 ? { optimization: gpuOptimizationDocument(given.cudaOptions, given.cudaGraphs) } : {}),
    ...(running.merges ? { dynamic_batching: batchingDocument(config.batching, config.maxBatchSize) } : {}),
    instance_group: runningGroups(lanes, running.lanes).map((group) => ({
      ...group,
      secondary_devices: [],
      profile: [],
      passive: false,
      host_policy: '',
    })),
    default_model_filename: given.modelFilename,
    cc_model_filenames: {},
    metric_tags: {},
    parameters: {
      ...(given.latencyGoalMs > 0 ? { [LATENCY_GOAL]: { string_value: String(given.latencyGoalMs) } } : {}),
      ...conversionParameters(given.conversions),
      ...(running.pads ? paddingParameters(given.padding) : {}),
    },
    model_warmup: [],
  });
}

function tensorDocument({ name, dataType, dims }: CompleteTensor): object {
  return { name, data_type: configDataType(dataType), dims, is_shape_tensor: false, is_non_linear_format_io: false };
}

function policyDocument(policy: VersionPolicy): object {
  switch (policy.kind) {
    case 'latest':
      return { latest: { num_versions: policy.count } };
    case 'all':
      return { all: {} };
    case 'specific':
      return { specific: { versions: policy.versions } };
  }
}
