import { describe, expect, it } from 'vitest';
import type { NativeInputConversion, NativeSignature } from '../../../src/bridge/control.js';
import { dataTypeNumber, type DataTypeName } from '../../../src/bridge/data-type.js';
import { completeConfig } from '../../../src/models/auto-config.js';
import { conversionParameters, planConversions, type InputConversion } from '../../../src/models/input-conversion.js';
import { readModelConfig } from '../../../src/models/model-config.js';
import { parsePbtxt } from '../../../src/models/pbtxt.js';
import { checkSignature, type ApiSignature } from '../../../src/models/signature-check.js';

const FIELD = 'config.pbtxt: parameters["input_conversion.image"].string_value';

const parameter = (text: string, input = 'image'): string =>
  `parameters { key: "input_conversion.${input}" value { string_value: '${text}' } }`;

function read(text: string): readonly InputConversion[] {
  return readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt').config.conversions;
}

function tensor(name: string, type: DataTypeName, dims: number[]): NativeSignature['inputs'][number] {
  return { name, dataType: dataTypeNumber(type), dims, symbolicDims: dims.map(() => ''), optional: false };
}

const FILE: NativeSignature = {
  inputs: [tensor('image', 'FP32', [-1, 3, -1, 4]), tensor('mask', 'INT64', [-1, 2])],
  outputs: [tensor('y', 'FP32', [-1])],
  metadata: {},
};

function load(text: string): { readonly api: ApiSignature; readonly plan: readonly NativeInputConversion[] } {
  const { config } = readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt');
  const complete = completeConfig(config, FILE);
  return { api: checkSignature(complete, FILE, 'config.pbtxt'), plan: planConversions(complete.conversions, complete.inputs) };
}

const sized = (dims: string, type = 'TYPE_UINT8'): string =>
  `max_batch_size: 8 input { name: "image" data_type: ${type} dims: [ ${dims} ] } input { name: "mask" }`;
const CHANNELS = '{"from":"TYPE_UINT8","scale":[1,2,3],"offset":0.5,"axis":0}';

describe('a conversion in the configuration', () => {
  it('has one number for all channels, 1 and 0 where nothing is said', () => {
    expect(read(parameter('{"from":"TYPE_FP16"}'))).toEqual([{ input: 'image', from: 'FP16', scale: [1], offset: [0], axis: undefined }]);
    expect(read(parameter('{"from":"TYPE_FP32","offset":-2,"axis":1}'))).toMatchObject([{ scale: [1], offset: [-2], axis: 1 }]);
  });

  it('may be there for several inputs, whatever their names', () => {
    const text = parameter('{"from":"TYPE_UINT8"}', 'a') + parameter('{"from":"TYPE_FP16"}', 'b.c "d"'.replaceAll('"', '\\"'));
    expect(read(text).map(({ input, from }) => [input, from])).toEqual([
      ['a', 'UINT8'],
      ['b.c "d"', 'FP16'],
    ]);
  });

  it.each([
    ['no JSON', 'UINT8 scale 2', `${FIELD}: found "UINT8 scale 2", expected a text that is JSON`],
    ['JSON that is no message', '[1]', `${FIELD}: found a list of 1, expected a message with fields`],
    ['no type', '{"scale":2}', `${FIELD}.from: found nothing, expected one of TYPE_UINT8, TYPE_FP16, TYPE_FP32`],
    ['another type', '{"from":"TYPE_INT8"}', `${FIELD}.from: found "TYPE_INT8", expected one of TYPE_UINT8`],
    [
      'a misspelt name',
      '{"from":"TYPE_UINT8","scales":[2]}',
      `${FIELD}.scales: found a list of 1, expected none but from, scale, offset, axis`,
    ],
    [
      'a scale that is no number',
      '{"from":"TYPE_UINT8","scale":"2"}',
      `${FIELD}.scale[0]: found "2", expected a number that a 32-bit float`,
    ],
    [
      'an offset beyond floats',
      '{"from":"TYPE_UINT8","offset":[1e39]}',
      `${FIELD}.offset[0]: found 1e+39, expected a number that a 32-bit`,
    ],
    ['no scale at all', '{"from":"TYPE_UINT8","scale":[]}', `${FIELD}.scale: found a list of 0, expected at least one number`],
    [
      'as many offsets as no channel has',
      '{"from":"TYPE_UINT8","scale":[1,2,3],"offset":[1,2],"axis":0}',
      `${FIELD}.offset: found a list of 2, expected 1 number or 3, as many as in scale`,
    ],
    [
      'channels without an axis',
      '{"from":"TYPE_UINT8","scale":[1,2,3]}',
      `${FIELD}.axis: found nothing, expected the dimension of the channels`,
    ],
    ['an axis from behind', '{"from":"TYPE_UINT8","axis":-1}', `${FIELD}.axis: found -1, expected a whole number from 0 to 31`],
  ])('is refused with %s', (_what, text, message) => {
    expect(() => read(parameter(text))).toThrow(message);
  });

  it('is refused without a text', () => {
    expect(() => read('parameters { key: "input_conversion.image" }')).toThrow(`${FIELD}: found nothing, expected a text that is JSON`);
  });
});

describe('a conversion as the config route answers it', () => {
  it('has its defaults filled in and is read back as the same', () => {
    const given = read(parameter('{"from":"TYPE_FP16"}') + parameter('{"from":"TYPE_UINT8","scale":3,"offset":[1,2],"axis":2}', 'b'));
    const answered = readModelConfig({ parameters: conversionParameters(given) }, 'config.json').config.conversions;
    expect(answered).toEqual(given);
    expect(conversionParameters(given)['input_conversion.image']).toEqual({
      string_value: '{"from":"TYPE_FP16","scale":[1],"offset":[0]}',
    });
  });
});

describe('a conversion and the model file', () => {
  it('shows what clients send, with or without an input section, and fills in the numbers of every channel', () => {
    const expected = { input: 'image', from: dataTypeNumber('UINT8'), scale: [1, 2, 3], offset: [0.5, 0.5, 0.5], inner: 20 };
    const { api, plan } = load(sized('3, 5, 4') + parameter(CHANNELS));
    expect(api.inputs[0]).toEqual({ name: 'image', dataType: dataTypeNumber('UINT8'), dims: [-1, 3, 5, 4], optional: false });
    expect(plan).toEqual([expected]);
    const { api: auto, plan: one } = load(parameter('{"from":"TYPE_FP16","scale":2}'));
    expect(auto.inputs.map(({ dataType }) => dataType)).toEqual([dataTypeNumber('FP16'), dataTypeNumber('INT64')]);
    expect(one).toEqual([{ input: 'image', from: dataTypeNumber('FP16'), scale: [2], offset: [0], inner: 1 }]);
  });

  it('counts the axis without the batch dimension, or with whole shapes where there is none', () => {
    const last = '{"from":"TYPE_UINT8","offset":[1,2,3,4],"axis":2}';
    expect(load(sized('3, -1, 4') + parameter(last)).plan).toMatchObject([{ scale: [1, 1, 1, 1], offset: [1, 2, 3, 4], inner: 1 }]);
    const whole = 'max_batch_size: 0 input { name: "image" dims: [ -1, 3, 5, 4 ] } input { name: "mask" }';
    expect(load(whole + parameter(CHANNELS.replace('0}', '1}'))).plan).toMatchObject([{ inner: 20 }]);
  });

  it.each([
    [
      'the configuration names the type of the file',
      sized('3, 5, 4', 'TYPE_FP32') + parameter(CHANNELS),
      `input[0].data_type: found TYPE_FP32, expected TYPE_UINT8 as in parameters["input_conversion.image"].string_value.from`,
    ],
    [
      'the model has no such input',
      parameter('{"from":"TYPE_UINT8"}', 'picture'),
      'parameters["input_conversion.picture"]: found "picture", expected an input of the model file: "image", "mask"',
    ],
    [
      'the model wants another type',
      parameter('{"from":"TYPE_UINT8"}', 'mask'),
      'found a conversion of "mask", which is TYPE_INT64 in the model file, expected an input of TYPE_FP32',
    ],
    [
      'there is no such dimension',
      sized('3, 5, 4') + parameter(CHANNELS.replace('0}', '3}')),
      '.axis: found 3, while the dims are [3, 5, 4]',
    ],
    [
      'there are other channels',
      sized('3, 5, 4') + parameter(CHANNELS.replace('0}', '1}')),
      '.axis: found 1, which is 5 in dims [3, 5, 4], expected a dimension of 3',
    ],
    [
      'the number of channels is open',
      sized('3, -1, 4') + parameter(CHANNELS.replace('0}', '1}')),
      '.axis: found 1, which dims [3, -1, 4] leave open, expected a dimension of 3',
    ],
    [
      'a size behind the channels is open',
      parameter(CHANNELS),
      '.axis: found 0, behind which dims [3, -1, 4] are open, expected a dimension with fixed sizes behind it; fix: write every size of "image"',
    ],
    [
      'a row has more elements than can be counted',
      sized('3, 1000000000, 4') + parameter(CHANNELS),
      '.axis: found 0, in dims [3, 1000000000, 4], expected at most 4294967295 elements',
    ],
  ])('is refused where %s', (_what, text, message) => {
    expect(() => load(text)).toThrow(message);
  });
});
