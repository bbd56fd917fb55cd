import { describe, expect, it } from 'vitest';
import { DEFAULT_CUDA_OPTIONS } from '../../../src/models/cuda-options.js';
import { DEFAULT_BATCHING } from '../../../src/models/batching-config.js';
import { EMPTY_CONFIG, readModelConfig } from '../../../src/models/model-config.js';
import { parsePbtxt } from '../../../src/models/pbtxt.js';

function read(text: string): ReturnType<typeof readModelConfig> {
  return readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt');
}

describe('a model configuration', () => {
  it('may be empty', () => {
    expect(read('')).toEqual({ config: EMPTY_CONFIG, warnings: [] });
  });

  it('has the same meaning in both formats', () => {
    const pbtxt = read(`
      name: "m" backend: "onnxruntime" max_batch_size: 8
      input { name: "x" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 3, -1 ] }
      output { name: "y" data_type: TYPE_STRING dims: 1 }
      instance_group { kind: KIND_CPU count: 3 }
      version_policy { specific { versions: 1 versions: 3 } }
      default_model_filename: "net.onnx"
      dynamic_batching { default_queue_policy { max_queue_size: 5 } }`);
    const json = readModelConfig(
      {
        name: 'm',
        platform: 'onnxruntime_onnx',
        max_batch_size: 8,
        input: [{ name: 'x', data_type: 11, format: 'FORMAT_NCHW', dims: ['3', '-1'] }],
        output: [{ name: 'y', data_type: 'TYPE_STRING', dims: [1] }],
        instance_group: [{ kind: 'KIND_CPU', count: 3 }],
        version_policy: { specific: { versions: [1, 3] } },
        default_model_filename: 'net.onnx',
        dynamic_batching: { default_queue_policy: { max_queue_size: 5 } },
      },
      'config.json',
    );
    expect(pbtxt).toEqual(json);
    expect(json).toEqual({
      config: {
        name: 'm',
        maxBatchSize: 8,
        inputs: [{ name: 'x', dataType: 'FP32', dims: [3, -1], format: 'FORMAT_NCHW', optional: false }],
        outputs: [{ name: 'y', dataType: 'BYTES', dims: [1], format: 'FORMAT_NONE', optional: false }],
        instanceGroups: [{ name: '', count: 3, kind: 'KIND_CPU', gpus: [] }],
        versionPolicy: { kind: 'specific', versions: [1, 3] },
        modelFilename: 'net.onnx',
        batching: { ...DEFAULT_BATCHING, defaultQueuePolicy: { ...DEFAULT_BATCHING.defaultQueuePolicy, maxQueueSize: 5 } },
        latencyGoalMs: 0,
        cudaOptions: DEFAULT_CUDA_OPTIONS,
        cudaGraphs: false,
        conversions: [],
        padding: [],
      },
      warnings: [],
    });
  });

  it('tells empty dims from dims that are not given', () => {
    const { config } = read('input { name: "a" dims: [ ] } input { name: "b" }');
    expect(config.inputs.map(({ dims }) => dims)).toEqual([[], undefined]);
  });

  it('warns of fields that it does not know, with their path', () => {
    const { warnings } = read('max_batchsize: 3 input { name: "a" dim: 1 } version_policy { all { x: 1 } } maxBatchSize: 4');
    expect(warnings).toEqual([
      'config.pbtxt: input[0].dim is not a field of a model configuration and is ignored',
      'config.pbtxt: version_policy.all.x is not a field of a model configuration and is ignored',
      'config.pbtxt: max_batchsize is not a field of a model configuration and is ignored',
      'config.pbtxt: maxBatchSize is not a field of a model configuration and is ignored; did you mean max_batch_size?',
    ]);
  });

  it("warns of Triton's fields that it does not act on, unless they are off", () => {
    const { warnings } = read(`
      optimization { graph { level: 1 } input_pinned_memory { enable: true } }
      parameters { key: "k" value { string_value: "v" } }
      model_warmup [ ] response_cache { enable: false }
      instance_group { passive: true }`);
    expect(warnings.map((text) => /: (\S+) is ignored/.exec(text)?.[1])).toEqual([
      'instance_group[0].passive',
      'parameters["k"].string_value',
      'optimization.graph',
    ]);
  });

  it.each([
    ['input { name: "x" reshape { shape: [ ] } }', 'input[0].reshape'],
    ['output { name: "x" reshape { shape: 4 } }', 'output[0].reshape'],
    ['input { name: "x" is_shape_tensor: true }', 'input[0].is_shape_tensor'],
    ['input { name: "x" allow_ragged_batch: true }', 'input[0].allow_ragged_batch'],
    ['ensemble_scheduling { step { model_name: "a" } }', 'ensemble_scheduling'],
    ['sequence_batching { }', 'sequence_batching'],
    ['batch_input { kind: BATCH_ELEMENT_COUNT }', 'batch_input'],
    ['model_transaction_policy { decoupled: true }', 'model_transaction_policy.decoupled'],
    ['model_repository_agents { agents { name: "checksum" } }', 'model_repository_agents'],
  ])('is refused where passing over a field would change results: %s', (text, field) => {
    expect(() => read(text)).toThrow(new RegExp(`^config\\.pbtxt: ${field.replace(/[[\].]/g, '\\$&')}: found .*, expected no .* fix: `));
  });

  it('says which inputs clients may leave out, and never so of an output', () => {
    expect(read('input { name: "x" } input { name: "o" optional: true }').config.inputs.map(({ optional }) => optional)).toEqual([
      false,
      true,
    ]);
    expect(() => read('input { name: "x" optional: 1 }')).toThrow('input[0].optional: found 1, expected true or false');
    expect(read('output { name: "y" optional: true }').warnings).toHaveLength(1);
  });

  it('may hold what tools print for fields that were never set', () => {
    const tree = {
      input: [{ name: 'x', is_shape_tensor: false, allow_ragged_batch: false, optional: false }],
      batch_input: [],
      batch_output: [],
      model_transaction_policy: { decoupled: false },
      cc_model_filenames: {},
      metric_tags: {},
      parameters: {},
      runtime: '',
      sequence_batching: null,
    };
    expect(readModelConfig(tree, 'config.json').warnings).toEqual([]);
  });

  it.each([
    ['platform: "tensorflow_savedmodel"', 'platform: found "tensorflow_savedmodel", expected "onnxruntime_onnx"'],
    ['backend: "python"', 'backend: found "python", expected "onnxruntime"'],
    ['max_batch_size: -1', 'max_batch_size: found -1, expected a whole number from 0 to 2147483647'],
    ['max_batch_size: 2147483648', 'max_batch_size: found 2147483648'],
    ['max_batch_size: 1.5', 'max_batch_size: found 1.5'],
    ['max_batch_size: 99999999999999999999', 'max_batch_size: found 99999999999999999999'],
    ['max_batch_size: 4 max_batch_size: 8', 'max_batch_size: found a list of 2'],
    ['name: 5', 'name: found 5, expected one string'],
    ['input { data_type: TYPE_FP32 }', 'input[0].name: found nothing'],
    ['input { name: "x" } input { name: "x" }', 'input[1].name: found "x", expected a name that no other input has'],
    ['input { name: "x" data_type: TYPE_FP33 }', 'input[0].data_type: found "TYPE_FP33", expected one of TYPE_INVALID, TYPE_BOOL'],
    ['input { name: "x" data_type: TYPE_INVALID }', 'input[0].data_type: found "TYPE_INVALID", expected a data type'],
    ['input { name: "x" data_type: 99 }', 'input[0].data_type: found 99'],
    ['input { name: "x" dims: [ 1, -2 ] }', 'input[0].dims[1]: found -2'],
    ['input { name: "x" dims: [ 0 ] }', 'input[0].dims[0]: found 0, expected a size from 1, or -1 for any'],
    ['input { name: "x" dims: [ 9223372036854775807 ] }', 'input[0].dims[0]: found 9223372036854775807'],
    [`input { name: "x" dims: [ ${Array(32).fill('1').join()} ] }`, 'input[0].dims: found a list of 32, expected fewer than 32'],
    ['input: "x"', 'input[0]: found "x", expected a message with fields'],
    ['instance_group { count: 1000000000 }', 'instance_group[0].count: found 1000000000'],
    ['instance_group { count: -1 }', 'instance_group[0].count: found -1'],
    [
      'instance_group { count: 200 } instance_group { count: 200 }',
      'instance_group: found a list of 2, expected counts of 256 in all at most',
    ],
    ['instance_group { kind: KIND_TPU }', 'instance_group[0].kind: found "KIND_TPU"'],
    [
      'version_policy { all { } latest { num_versions: 1 } }',
      'version_policy.latest: found a message, expected only one of latest, all and specific',
    ],
    ['version_policy { specific { } }', 'version_policy.specific: found a message, expected at least one version'],
    ['version_policy { specific { versions: 0 } }', 'version_policy.specific.versions[0]: found 0'],
    ['default_model_filename: "../model.onnx"', 'default_model_filename: found "../model.onnx"'],
    ['default_model_filename: "a/b.onnx"', 'default_model_filename: found "a/b.onnx"'],
    ['default_model_filename: ".."', 'default_model_filename: found ".."'],
    ['default_model_filename: "a\\000b"', 'default_model_filename: found "a\\u0000b"'],
  ])('is refused with the field, what was found and what was expected: %s', (text, message) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_CONFIG', message: expect.stringContaining(`config.pbtxt: ${message}`) as string }),
    );
  });

  it('names all faults at once', () => {
    expect(() => read('max_batch_size: -1 platform: "x" input { name: "" }')).toThrow(
      /platform: .* \| max_batch_size: .* \| input\[0\]\.name: /,
    );
  });

  it.each([[null], [[]], ['text'], [5]])('is refused when the whole of it is %j', (tree) => {
    expect(() => readModelConfig(tree, 'config.json')).toThrow('config.json: the configuration: found');
  });

  it('is refused, not overflowed by, when JSON is nested very deeply', () => {
    const deep = JSON.parse(
      `{"name": ${'['.repeat(200_000)}${']'.repeat(200_000)}, "parameters": ${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
    ) as unknown;
    expect(() => readModelConfig(deep, 'config.json')).toThrow('name: found a list of 1, expected one string');
  });
});
