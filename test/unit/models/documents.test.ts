import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { describe, expect, it } from 'vitest';
import type { NativeSignature } from '../../../src/bridge/control.js';
import { completeConfig } from '../../../src/models/auto-config.js';
import { configDocument, metadataDocument } from '../../../src/models/documents.js';
import { planLanes } from '../../../src/models/instance-lanes.js';
import { readModelConfig } from '../../../src/models/model-config.js';
import { parsePbtxt } from '../../../src/models/pbtxt.js';
import { checkSignature } from '../../../src/models/signature-check.js';

const proto = loadSync(fileURLToPath(new URL('../../../proto/model_config.proto', import.meta.url)), {
  keepCase: true,
  enums: String,
  longs: Number,
});
const ModelConfigMessage = proto['inference.ModelConfig'] as unknown as MessageTypeDefinition<object, object>;

const signature: NativeSignature = {
  inputs: [{ name: 'text', dataType: 13, dims: [-1, 1], symbolicDims: ['b', ''] }],
  outputs: [{ name: 'y', dataType: 11, dims: [-1], symbolicDims: ['b'] }],
  metadata: {},
};

function documentOf(text: string): Record<string, unknown> {
  const { config } = readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt');
  return JSON.parse(configDocument('m', config, completeConfig(config, signature), planLanes('m', config.instanceGroups, 2))) as Record<
    string,
    unknown
  >;
}

describe('the configuration document', () => {
  it.each([
    '',
    'max_batch_size: 0',
    'version_policy { all { } }',
    'version_policy { specific { versions: [ 1, 9007199254740991 ] } } dynamic_batching { default_queue_policy { max_queue_size: 7 } }',
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
      input: [{ name: 'text', data_type: 'TYPE_STRING', dims: [1], format: 'FORMAT_NONE' }],
      output: [{ name: 'y', data_type: 'TYPE_FP32', dims: [] }],
      instance_group: [{ name: 'm_0', kind: 'KIND_CPU', count: 2 }],
      default_model_filename: 'model.onnx',
    });
  });

  it('has whole shapes where the model is not batched', () => {
    expect(documentOf('max_batch_size: 0')).toMatchObject({ max_batch_size: 0, input: [{ dims: [-1, 1] }] });
  });

  it('promises nothing that the engine does not do', () => {
    const document = documentOf('dynamic_batching { } optimization { input_pinned_memory { enable: true } }');
    expect(document).not.toHaveProperty('dynamic_batching');
    expect(document).not.toHaveProperty('optimization');
  });

  it('can be read back as a configuration of the same meaning', () => {
    const first = documentOf('max_batch_size: 4 instance_group { count: 3 kind: KIND_GPU } version_policy { latest { num_versions: 2 } }');
    const { config } = readModelConfig(first, 'config.json');
    const again = configDocument('m', config, completeConfig(config, signature), planLanes('m', config.instanceGroups, 2));
    expect(JSON.parse(again)).toEqual(first);
  });
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

describe('instance groups', () => {
  it('add up to lanes, and run on the CPU with a warning where they ask for a GPU', () => {
    const plan = planLanes(
      'm',
      [
        { name: '', count: 3, kind: 'KIND_GPU' },
        { name: 'g', count: 0, kind: 'KIND_AUTO' },
      ],
      2,
    );
    expect(plan.lanes).toBe(5);
    expect(plan.groups).toEqual([
      { name: 'm_0', kind: 'KIND_CPU', count: 3 },
      { name: 'g', kind: 'KIND_CPU', count: 2 },
    ]);
    expect(plan.warnings).toEqual([expect.stringContaining('instance_group[0].kind: KIND_GPU')]);
  });
});

/** proto3 leaves out what is zero or empty. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const isDefault = (inner: unknown): boolean =>
    inner === '' || inner === 0 || inner === false || /^(FORMAT_NONE|PRIORITY_DEFAULT)$/.test(String(inner));
  const isEmpty = (inner: unknown): boolean => typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, inner]) => !isDefault(inner) && (name === 'all' || !isEmpty(inner)))
      .map(([name, inner]) => [name, withoutDefaults(inner)]),
  );
}
