import { describe, expect, it } from 'vitest';
import type { NativeSignature, NativeTensorSpec } from '../../../src/bridge/control.js';
import { dataTypeNumber, type DataTypeName } from '../../../src/bridge/data-type.js';
import { completeConfig } from '../../../src/models/auto-config.js';
import { readModelConfig } from '../../../src/models/model-config.js';
import { paddingParameters, planPadding, type Padding, type PaddingPlan } from '../../../src/models/pad-to-longest.js';
import { parsePbtxt } from '../../../src/models/pbtxt.js';
import { checkSignature } from '../../../src/models/signature-check.js';

const FIELD = 'config.pbtxt: parameters["pad_to_longest"].string_value';

/** Texts are symbolic dimensions, `?` one without a name. */
function tensor(name: string, type: DataTypeName, dims: readonly (number | string)[]): NativeTensorSpec {
  return {
    name,
    dataType: dataTypeNumber(type),
    dims: dims.map((dim) => (typeof dim === 'number' ? dim : -1)),
    symbolicDims: dims.map((dim) => (typeof dim === 'number' || dim === '?' ? '' : dim)),
    optional: false,
  };
}

const INPUTS = [
  tensor('ids', 'INT64', ['batch', 'seq']),
  tensor('mask', 'INT8', ['batch', 'seq']),
  tensor('place', 'FP32', ['batch', 3, 'seq', 2]),
  tensor('size', 'FP32', ['batch', 2]),
  tensor('grid', 'FP32', ['batch', 'h', 'w']),
  tensor('text', 'BYTES', ['batch', 'words']),
  tensor('other', 'FP32', ['batch', 'k']),
];
const OUTPUTS = [
  tensor('hidden', 'FP32', ['batch', 'seq', 8]),
  tensor('pooled', 'FP32', ['batch', 8]),
  tensor('scores', 'FP32', ['batch', 4, 'seq', 'seq']),
  tensor('found', 'INT64', ['batch', 'k']),
];
const FILE: NativeSignature = { inputs: INPUTS, outputs: OUTPUTS, metadata: {} };

const parameter = (text: string): string => `parameters { key: "pad_to_longest" value { string_value: "${text}" } }`;

function read(text: string): readonly Padding[] {
  return readModelConfig(parsePbtxt(parameter(text), 'config.pbtxt'), 'config.pbtxt').config.padding;
}

function load(text: string, file = FILE, rest = 'max_batch_size: 8 dynamic_batching { }'): PaddingPlan {
  const { config } = readModelConfig(parsePbtxt(`${parameter(text)} ${rest}`, 'config.pbtxt'), 'config.pbtxt');
  const complete = completeConfig(config, file);
  checkSignature(complete, file, 'config.pbtxt');
  return planPadding(complete, file);
}

describe('the parameter pad_to_longest', () => {
  it('names inputs, each with what to pad it with, 0 where nothing is said', () => {
    expect(read('ids=7, mask ,b=c=-1.5')).toEqual([
      { input: 'ids', value: '7' },
      { input: 'mask', value: '0' },
      { input: 'b=c', value: '-1.5' },
    ]);
  });

  it.each([
    ['', `${FIELD}: found a padding without a name, expected names of inputs`],
    ['ids=0,', `${FIELD}: found a padding without a name`],
    ['ids=', `${FIELD}: found nothing behind "ids=", expected a number`],
    ['ids,mask=1,ids=2', `${FIELD}: found "ids" again, expected each input once`],
  ])('is refused where it cannot be read: "%s"', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('comes back from the configuration that clients see', () => {
    const given = [
      { input: 'ids', value: '7' },
      { input: 'mask', value: '0' },
    ];
    expect(readModelConfig({ parameters: paddingParameters(given) }, 'config.json').config.padding).toEqual(given);
    expect(paddingParameters([])).toEqual({});
  });

  it('is what allow_ragged_batch, which Triton joins unpadded, is answered with', () => {
    const config = parsePbtxt('input { name: "ids" allow_ragged_batch: true }', 'config.pbtxt');
    expect(() => readModelConfig(config, 'config.pbtxt')).toThrow(
      /allow_ragged_batch: found true, .* name this input in parameters pad_to_longest/,
    );
  });
});

describe('padding of a model', () => {
  it('knows the open dimension of each input, and by its name what of each output is as long', () => {
    expect(load('ids=-1,mask=1,place=0.5')).toEqual({
      paddedInputs: [
        { input: 'ids', dim: 1, value: [255, 255, 255, 255, 255, 255, 255, 255] },
        { input: 'mask', dim: 1, value: [1] },
        { input: 'place', dim: 2, value: [0, 0, 0, 0x3f] },
      ],
      cutOutputs: [
        { output: 'hidden', dims: [1] },
        { output: 'scores', dims: [2, 3] },
      ],
    });
  });

  it('takes the type that clients send where the input is converted', () => {
    const conversion = `parameters { key: "input_conversion.place" value { string_value: '{"from":"TYPE_UINT8"}' } }`;
    expect(load('ids,mask,place=9', FILE, `max_batch_size: 8 dynamic_batching { } ${conversion}`).paddedInputs[2]).toEqual({
      input: 'place',
      dim: 2,
      value: [9],
    });
  });

  it('is nothing where nobody asks for it', () => {
    const complete = completeConfig(readModelConfig({}, 'config.json').config, FILE);
    expect(planPadding(complete, FILE)).toEqual({ paddedInputs: [], cutOutputs: [] });
  });

  it.each([
    ['an unknown input', 'idz', 'found "idz", expected an input of this model: "ids", "mask"'],
    ['no open dimension', 'size', 'found "size", whose dims [2] leave nothing open, expected one open dimension (-1)'],
    ['two open dimensions', 'grid', 'found "grid", whose dims [-1, -1] leave 2 open, expected one open dimension (-1)'],
    ['BYTES', 'text', 'found "text", which is TYPE_STRING, expected inputs of numbers'],
    ['a value beyond its type', 'mask=128', 'found "mask=128", expected a value of TYPE_INT8'],
    [
      'inputs of different lengths',
      'ids,other',
      'found inputs whose open dimensions have different names in the model file ("seq" and "k")',
    ],
  ])('is refused for %s', (_, text, message) => {
    expect(() => load(text)).toThrow(`${FIELD}: ${message}`);
  });

  it('names every input of that length, as those that are left out would keep requests apart', () => {
    expect(() => load('ids,place')).toThrow(
      `${FIELD}: found no padding for input "mask", which is as long as the padded ones, expected all inputs of that length; fix: add "mask"`,
    );
    const unnamed = { ...FILE, inputs: [...INPUTS.slice(0, 3), tensor('scale', 'FP32', ['batch', '?'])] };
    expect(() => load('ids,mask,place', unnamed)).toThrow('input "scale", which is open and may be as long as the padded ones');
  });

  it('is refused where the length of an output may follow from that of the inputs under another name', () => {
    const frames = { ...FILE, outputs: [tensor('logits', 'FP32', ['batch', 'frames', 32])] };
    expect(() => load('ids,mask,place', frames)).toThrow('found output "logits", whose dimension "frames" no input has');
    expect(load('ids,mask,place').cutOutputs.map(({ output }) => output)).not.toContain('found');
  });

  it('says all that is wrong with it at once', () => {
    expect(() => load('grid,mask=x')).toThrow(/"grid".*\| .*"mask=x"/);
  });

  it.each(['max_batch_size: 0', 'max_batch_size: 8 input { name: "ids" dims: [ -1 ] }'])(
    'is refused where nothing shares a batch: %s',
    (rest) => {
      const file = { ...FILE, inputs: INPUTS.slice(0, 1), outputs: OUTPUTS.slice(0, 1) };
      const complete = `${rest} output { name: "hidden" }`;
      expect(() => load('ids', file, complete)).toThrow(
        `${FIELD}: found inputs to pad, expected none, because requests do not share batches`,
      );
    },
  );

  it('may be there where batches have one row', () => {
    expect(load('ids,mask,place', FILE, 'max_batch_size: 1').paddedInputs).toHaveLength(3);
  });

  it('needs names in the model file where an output is open', () => {
    const unnamed = { ...FILE, inputs: [tensor('ids', 'INT64', ['batch', '?'])] };
    const withOutput = (...outputs: readonly NativeTensorSpec[]): NativeSignature => ({ ...unnamed, outputs });
    expect(load('ids', withOutput(tensor('y', 'FP32', ['batch', 8])))).toMatchObject({ paddedInputs: [{ dim: 1 }], cutOutputs: [] });
    expect(() => load('ids', withOutput(tensor('y', 'FP32', ['batch', 'seq'])))).toThrow(
      'found padded inputs without a name for their length, and output "y", which is open, expected names in the model file',
    );
    const file = { ...FILE, outputs: [tensor('y', 'FP32', ['batch', 'seq', '?'])] };
    expect(() => load('ids', file)).toThrow('found output "y", whose open dimensions in [-1, -1] have no name, expected names');
    const texts = { ...FILE, outputs: [tensor('y', 'BYTES', ['batch', 'seq'])] };
    expect(() => load('ids', texts)).toThrow('found output "y" of TYPE_STRING, which is as long as the padded inputs, expected numbers');
  });
});
