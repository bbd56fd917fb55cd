import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { describe, expect, it } from 'vitest';
import type { NativeSignature } from '../../../src/bridge/control.js';
import { completeConfig } from '../../../src/models/auto-config.js';
import { configDocument, metadataDocument, type Running } from '../../../src/models/documents.js';
import { planLanes } from '../../../src/models/instance-lanes.js';
import { NO_GPUS } from '../../../src/models/placement.js';
import { readModelConfig } from '../../../src/models/model-config.js';
import { parsePbtxt } from '../../../src/models/pbtxt.js';
import { checkSignature } from '../../../src/models/signature-check.js';
import { usableGpus } from './usable-gpus.js';

const proto = loadSync(fileURLToPath(new URL('../../../proto/model_config.proto', import.meta.url)), {
  keepCase: true,
  enums: String,
  longs: Number,
});
const ModelConfigMessage = proto['inference.ModelConfig'] as unknown as MessageTypeDefinition<object, object>;

const BATCHING = `max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 4, 2 ] max_queue_delay_microseconds: 100
  preserve_ordering: true priority_levels: 3 default_priority_level: 2 default_queue_policy { max_queue_size: 7 }
  priority_queue_policy { key: 1 value { timeout_action: DELAY default_timeout_microseconds: 9 allow_timeout_override: true } } }
  parameters { key: "latency_goal_ms" value { string_value: "12.5" } }`;

const signature: NativeSignature = {
  inputs: [{ name: 'text', dataType: 13, dims: [-1, 1], symbolicDims: ['b', ''], optional: false }],
  outputs: [{ name: 'y', dataType: 11, dims: [-1], symbolicDims: ['b'], optional: false }],
  metadata: {},
};

/** Of a version that the engine gives all it asks for. */
function documentOf(text: string, running: Partial<Running> = {}, usable = NO_GPUS): Record<string, unknown> {
  return documentOfTree(parsePbtxt(text, 'config.pbtxt'), running, usable);
}

function documentOfTree(tree: unknown, running: Partial<Running> = {}, usable = NO_GPUS): Record<string, unknown> {
  const { config } = readModelConfig(tree, 'config');
  const complete = completeConfig(config, signature);
  const plan = planLanes('m', config.instanceGroups, { cpu: 2, gpu: 2 }, usable, 'config');
  const all = { lanes: plan.lanes, merges: complete.merge !== 'never', pads: complete.padding.length > 0, ...running };
  return JSON.parse(configDocument('m', config, complete, plan, all)) as Record<string, unknown>;
}

describe('the configuration document', () => {
  it.each([
    '',
    'max_batch_size: 0',
    'version_policy { all { } }',
    'version_policy { specific { versions: [ 1, 9007199254740991 ] } } dynamic_batching { default_queue_policy { max_queue_size: 7 } }',
    BATCHING.replace(/priority_queue_policy .*/, '}'), // proto-loader reads keys of 64 bits back as bytes
  ])('is a ModelConfig that protobuf keeps whole, with every name and enum as the proto has it: %s', (text) => {
    const document = documentOf(text);
    expect(ModelConfigMessage.deserialize(ModelConfigMessage.serialize(document))).toMatchObject(withoutDefaults(document) as object);
  });

  it('has every default filled in', () => {
    expect(documentOf('')).toMatchObject({
      name: 'm',
      platform: 'onnxruntime_onnx',
      backend: 'onnxruntime',
      version_policy: { latest: { num_versions: 1 } },
      max_batch_size: 32,
      input: [{ name: 'text', data_type: 'TYPE_STRING', dims: [1], format: 'FORMAT_NONE', optional: false }],
      output: [{ name: 'y', data_type: 'TYPE_FP32', dims: [] }],
      instance_group: [{ name: 'm_0', kind: 'KIND_CPU', count: 2 }],
      default_model_filename: 'model.onnx',
    });
  });

  it('has whole shapes where the model is not batched', () => {
    expect(documentOf('max_batch_size: 0')).toMatchObject({ max_batch_size: 0, input: [{ dims: [-1, 1] }] });
  });

  it("has Triton's defaults of dynamic batching where requests share batches, whoever has decided that", () => {
    const policy = { timeout_action: 'REJECT', default_timeout_microseconds: 0, allow_timeout_override: false, max_queue_size: 0 };
    const expected = {
      preferred_batch_size: [32],
      max_queue_delay_microseconds: 0,
      preserve_ordering: false,
      priority_levels: 0,
      default_priority_level: 0,
      default_queue_policy: policy,
      priority_queue_policy: {},
    };
    expect(documentOf('dynamic_batching { }')).toMatchObject({ dynamic_batching: expected });
    expect(documentOf('')).toMatchObject({ dynamic_batching: expected });
  });

  it('has what the configuration says of dynamic batching', () => {
    expect(documentOf(BATCHING)).toMatchObject({
      dynamic_batching: {
        preferred_batch_size: [4, 2],
        max_queue_delay_microseconds: 100,
        preserve_ordering: true,
        priority_levels: 3,
        default_priority_level: 2,
        default_queue_policy: { max_queue_size: 7 },
        priority_queue_policy: { 1: { timeout_action: 'DELAY', default_timeout_microseconds: 9, allow_timeout_override: true } },
      },
      parameters: { latency_goal_ms: { string_value: '12.5' } },
    });
  });

  it('promises nothing that the engine does not do', () => {
    const document = documentOf('optimization { input_pinned_memory { enable: true } } parameters { key: "k" }', {
      merges: false,
      lanes: 1,
    });
    expect(document).not.toHaveProperty('dynamic_batching');
    expect(document).not.toHaveProperty('optimization');
    expect(document).toMatchObject({ instance_group: [{ count: 1 }], parameters: {} });
  });

  it('has the lanes that were asked for, where a configuration asks for them', () => {
    expect(documentOf('instance_group [ { count: 2 }, { } ]')).toMatchObject({ instance_group: [{ count: 2 }, { count: 2 }] });
  });

  it('says which GPUs the model runs on, and with which options', () => {
    const cuda = 'parameters { key: "gpu_mem_limit" value { string_value: "1000" } }';
    const document = documentOf(`instance_group { count: 3 gpus: 1 } ${cuda}`, {}, usableGpus(2));
    expect(document).toMatchObject({
      instance_group: [{ name: 'm_0', kind: 'KIND_GPU', count: 3, gpus: [1] }],
      optimization: {
        execution_accelerators: {
          gpu_execution_accelerator: [{ name: 'cuda', parameters: { gpu_mem_limit: '1000', cudnn_conv_algo_search: 'HEURISTIC' } }],
        },
      },
    });
    expect(ModelConfigMessage.deserialize(ModelConfigMessage.serialize(document))).toMatchObject(withoutDefaults(document) as object);
    expect(documentOfTree(document, {}, usableGpus(2))).toEqual(document);
  });

  it('says that CUDA graphs are wanted, where the model runs on GPUs', () => {
    const text = 'optimization { cuda { graphs: true } }';
    const document = documentOf(text, {}, usableGpus(1));
    expect(document).toMatchObject({ optimization: { cuda: { graphs: true } } });
    expect(ModelConfigMessage.deserialize(ModelConfigMessage.serialize(document))).toMatchObject(withoutDefaults(document) as object);
    expect(documentOfTree(document, {}, usableGpus(1))).toEqual(document);
    expect(documentOf(text)).not.toHaveProperty('optimization');
    expect((documentOf('', {}, usableGpus(1)) as { optimization: object }).optimization).not.toHaveProperty('cuda');
  });

  it.each(['max_batch_size: 4 instance_group { count: 3 kind: KIND_AUTO } version_policy { latest { num_versions: 2 } }', BATCHING, ''])(
    'can be read back as a configuration of the same meaning: %s',
    (text) => {
      const first = documentOf(text);
      expect(documentOfTree(first)).toEqual(first);
    },
  );
});

describe('the metadata document', () => {
  it('has the V2 form, with the batch dimension', () => {
    const { config } = readModelConfig({}, 'config.json');
    const api = checkSignature(completeConfig(config, signature), signature, 'config.json');
    expect(JSON.parse(metadataDocument('m', [1, 3], api))).toEqual({
      name: 'm',
      versions: ['1', '3'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1, 1] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1] }],
    });
  });
});

/** proto3 leaves out what is zero or empty. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const isDefault = (inner: unknown): boolean =>
    inner === '' || inner === 0 || inner === false || /^(FORMAT_NONE|PRIORITY_DEFAULT|REJECT)$/.test(String(inner));
  const isEmpty = (inner: unknown): boolean => typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, inner]) => !isDefault(inner) && (name === 'all' || !isEmpty(inner)))
      .map(([name, inner]) => [name, withoutDefaults(inner)]),
  );
}
