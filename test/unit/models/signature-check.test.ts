import { describe, expect, it } from 'vitest';
import { dataTypeNumber, type DataTypeName } from '../../../src/bridge/data-type.js';
import type { NativeSignature, NativeTensorSpec } from '../../../src/bridge/control.js';
import { completeConfig } from '../../../src/models/auto-config.js';
import { readModelConfig } from '../../../src/models/model-config.js';
import { parsePbtxt } from '../../../src/models/pbtxt.js';
import { checkSignature, type ApiSignature } from '../../../src/models/signature-check.js';

function tensor(name: string, type: DataTypeName, dims: number[]): NativeTensorSpec {
  return { name, dataType: dataTypeNumber(type), dims, symbolicDims: dims.map(() => ''), optional: false };
}

function file(inputs: NativeTensorSpec[], outputs: NativeTensorSpec[]): NativeSignature {
  return { inputs, outputs, metadata: {} };
}

function check(text: string, signature: NativeSignature): ApiSignature {
  const { config } = readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt');
  return checkSignature(completeConfig(config, signature), signature, 'config.pbtxt');
}

const batched = file([tensor('x', 'FP32', [-1, 3, -1])], [tensor('y', 'FP32', [-1, 10]), tensor('label', 'INT64', [-1])]);
const fixed = file([tensor('x', 'FP32', [1, 3])], [tensor('y', 'FP32', [1, 10])]);

describe('a model without a configuration', () => {
  it('is batched up to 32 rows where every first dimension is symbolic', () => {
    expect(check('', batched)).toEqual({
      maxBatchSize: 32,
      inputs: [{ name: 'x', dataType: dataTypeNumber('FP32'), dims: [-1, 3, -1], optional: false }],
      outputs: [
        { name: 'y', dataType: dataTypeNumber('FP32'), dims: [-1, 10] },
        { name: 'label', dataType: dataTypeNumber('INT64'), dims: [-1] },
      ],
    });
  });

  it.each([
    ['an input is fixed', file([tensor('x', 'FP32', [-1]), tensor('s', 'FP32', [4])], [tensor('y', 'FP32', [-1])])],
    ['an output is fixed', file([tensor('x', 'FP32', [-1, -1])], [tensor('y', 'INT64', [2, -1])])],
    ['a tensor is a scalar', file([tensor('x', 'FP32', [-1]), tensor('s', 'FP32', [])], [tensor('y', 'FP32', [-1])])],
  ])('is not batched where %s', (_what, signature) => {
    const api = check('', signature);
    expect(api.maxBatchSize).toBe(0);
    expect(api.inputs.map(({ dims }) => dims)).toEqual(signature.inputs.map(({ dims }) => dims));
  });

  it('is refused where a tensor has a type that requests cannot carry', () => {
    expect(() => check('', file([tensor('c', 'INVALID', [-1])], [tensor('y', 'FP32', [-1])]))).toThrow(
      'input[0].data_type: found an unknown type for "c" in the model file',
    );
  });
});

describe('a partial configuration', () => {
  it('keeps the side that it gives and takes the other from the file', () => {
    const api = check('output { name: "y" data_type: TYPE_FP32 dims: 10 }', batched);
    expect(api.maxBatchSize).toBe(32);
    expect(api.outputs.map(({ name }) => name)).toEqual(['y']);
    expect(api.inputs.map(({ dims }) => dims)).toEqual([[-1, 3, -1]]);
  });

  it('may leave types and dims to the file', () => {
    const api = check('max_batch_size: 4 input { name: "x" } output { name: "label" }', batched);
    expect(api.inputs).toEqual([{ name: 'x', dataType: dataTypeNumber('FP32'), dims: [-1, 3, -1], optional: false }]);
    expect(api.outputs).toEqual([{ name: 'label', dataType: dataTypeNumber('INT64'), dims: [-1] }]);
  });

  it('means whole shapes where it gives dims on both sides and no max_batch_size, as in Triton', () => {
    const text = 'input { name: "x" dims: [-1, 3, -1] } output { name: "y" dims: [-1, 10] }';
    expect(check(text, batched).maxBatchSize).toBe(0);
  });
});

describe('a configuration that fits', () => {
  it('may narrow what the file leaves open', () => {
    expect(check('max_batch_size: 8 input { name: "x" dims: [3, 224] }', batched).inputs[0]?.dims).toEqual([-1, 3, 224]);
  });

  it('may give empty dims to a tensor that is nothing but the batch', () => {
    expect(check('max_batch_size: 8 output { name: "label" dims: [ ] }', batched).outputs[0]?.dims).toEqual([-1]);
  });

  it('may turn batching off', () => {
    expect(check('max_batch_size: 0', batched)).toMatchObject({ maxBatchSize: 0, inputs: [{ dims: [-1, 3, -1] }] });
  });
});

describe('an optional input', () => {
  const scale = { ...tensor('scale', 'FP32', [-1, 1]), optional: true };
  const eighth = { ...tensor('eighth', 'FP32', [8]), optional: true };
  const withDefaults = file([tensor('x', 'FP32', [-1, 3]), scale, eighth], [tensor('y', 'FP32', [-1, 10])]);

  it('is not served without a configuration that names it', () => {
    const api = check('', withDefaults);
    expect(api.maxBatchSize).toBe(32);
    expect(api.inputs.map(({ name }) => name)).toEqual(['x']);
  });

  it('may be left out by clients where the configuration says so, and has the batch dimension like all others', () => {
    const api = check('input { name: "scale" optional: true } input { name: "x" }', withDefaults);
    expect(api).toMatchObject({
      maxBatchSize: 32,
      inputs: [
        { name: 'scale', dims: [-1, 1], optional: true },
        { name: 'x', optional: false },
      ],
    });
    const text = 'max_batch_size: 2 input { name: "x" } input { name: "eighth" optional: true }';
    expect(() => check(text, withDefaults)).toThrow(
      'max_batch_size: found 2, expected 0, because input[1] "eighth" has the shape [8] in the model file, which fixes the first dimension',
    );
  });

  it('turns batching off by itself where it has no batch dimension', () => {
    expect(check('input { name: "x" } input { name: "eighth" optional: true }', withDefaults).maxBatchSize).toBe(0);
  });

  it('may be required of clients', () => {
    expect(check('input { name: "x" } input { name: "scale" }', withDefaults).inputs[1]).toMatchObject({ name: 'scale', optional: false });
  });

  it('is refused where the model file requires it', () => {
    expect(() => check('input { name: "x" optional: true }', withDefaults)).toThrow(
      'input[0].optional: found true, expected false, because the model file requires input "x"; fix: remove it, or export the model with ' +
        'a default value: an initializer named "x", which is a graph input too',
    );
  });
});

describe('a configuration that disagrees with the file', () => {
  it.each([
    [
      'input { name: "z" }',
      batched,
      'input[0].name: found "z", expected an input of the model file: "x"; fix: use the name that the model file has',
    ],
    [
      'input { name: "z" }',
      batched,
      'input: found no input "x", expected every input that the model file requires; fix: add input { name: "x" }',
    ],
    ['output { name: "x" }', batched, 'output[0].name: found "x", expected an output of the model file: "y", "label"'],
    [
      'input { name: "x" data_type: TYPE_INT32 }',
      batched,
      'input[0].data_type: found TYPE_INT32, expected TYPE_FP32 as in the model file; fix: data_type: TYPE_FP32',
    ],
    [
      'max_batch_size: 8 input { name: "x" dims: [ 4, 5 ] }',
      batched,
      'input[0].dims: found [4, 5], expected [3, -1] as in the model file, without the batch dimension; fix: dims: [3, -1]',
    ],
    ['max_batch_size: 8 input { name: "x" dims: [ -1, 3, 5 ] }', batched, 'fix: leave out the batch dimension: dims: [3, -1]'],
    ['max_batch_size: 8 input { name: "x" dims: [ -1, 5 ] }', batched, 'input[0].dims: found [-1, 5], expected [3, -1]'],
    [
      'max_batch_size: 0 output { name: "y" dims: [ 10 ] }',
      batched,
      'output[0].dims: found [10], expected [-1, 10] as in the model file; fix: write dims: [-1, 10], or set max_batch_size to 1 or more',
    ],
    [
      'max_batch_size: 8',
      fixed,
      'max_batch_size: found 8, expected 0, because input[0] "x" has the shape [1, 3] in the model file, which fixes the first dimension; fix: set max_batch_size: 0',
    ],
    ['max_batch_size: 8', file([tensor('s', 'FP32', [])], []), '"s" has the shape [] in the model file, which has no first dimension'],
  ])('is refused with field, found, expected and fix: %s', (text, signature, message) => {
    expect(() => check(text, signature)).toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_CONFIG', message: expect.stringContaining(message) as string }),
    );
  });

  it('is told all of its faults at once', () => {
    const text = 'max_batch_size: 8 input { name: "x" data_type: TYPE_INT8 dims: 1 } output { name: "nope" }';
    expect(() => check(text, batched)).toThrow(/^config\.pbtxt: input\[0\]\.data_type: .* \| input\[0\]\.dims: .* \| output\[0\]\.name: /);
  });
});
