/**
 * Inputs that clients send in a smaller type than the model wants: value * scale + offset, by channel, before each run. A parameter of our
 * own for each such input, `input_conversion.NAME`, whose text is JSON:
 *
 *     parameters {
 *       key: "input_conversion.image"
 *       value { string_value: '{"from":"TYPE_UINT8","scale":[0.017,0.018,0.017],"offset":[-2.1,-2.0,-1.8],"axis":0}' }
 *     }
 *
 * `axis` counts as the dims of the configuration do: without the batch dimension where max_batch_size is not 0. One number is for all
 * channels; `scale` is 1 and `offset` 0 where nothing is said.
 */
import type { NativeInputConversion, NativeTensorSpec } from '../bridge/control.js';
import { configDataType, dataTypeName, dataTypeNumber, type DataTypeName } from '../bridge/data-type.js';
import { shown, shownDims, shownNames, type ConfigFault } from './config-fault.js';
import type { ConfigReader } from './config-reader.js';

export const INPUT_CONVERSION = 'input_conversion.';

export interface InputConversion {
  readonly input: string;
  /** What clients send. */
  readonly from: DataTypeName;
  /** One for all channels, or one a channel. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  /** The dimension of the channels; undefined = not given, which will do for one channel. */
  readonly axis: number | undefined;
}

/** The tensor as the configuration has it, completed. */
interface ConfiguredInput {
  readonly name: string;
  /** Without the batch dimension when the model is batched. */
  readonly dims: readonly number[];
}

const SOURCES: readonly DataTypeName[] = ['UINT8', 'FP16', 'FP32'];
const TARGET: DataTypeName = 'FP32';
/** Of one row of channels: the engine counts them with 32 bits. */
const MAX_ELEMENTS = 2 ** 32 - 1;
const MAX_AXIS = 31;
const EXAMPLE = `'{"from":"TYPE_UINT8","scale":[0.017,0.018,0.017],"offset":[-2.1,-2.0,-1.8],"axis":0}'`;

/** None for a text that is no JSON. */
export function readInputConversion(key: string, parameter: ConfigReader): readonly InputConversion[] {
  const reader = parameter.json('string_value', `write ${EXAMPLE}`);
  if (reader === undefined) return [];
  const names = SOURCES.map(configDataType);
  const from = reader.has('from') ? reader.text('from') : '';
  if (!names.includes(from)) reader.fault('from', `one of ${names.join(', ')}`, 'write the type that clients send');
  const scale = reader.floats('scale') ?? [1];
  const offset = reader.floats('offset') ?? [0];
  const axis = reader.integer('axis', 0, MAX_AXIS);
  if (scale.length > 1 && offset.length > 1 && scale.length !== offset.length)
    reader.fault('offset', `1 number or ${scale.length}, as many as in scale`, 'give one for each channel in both');
  if (channelsOf({ scale, offset }) > 1 && !reader.has('axis'))
    reader.fault('axis', 'the dimension of the channels, counted from 0 as dims has them', 'write "axis", or one number for all channels');
  reader.finishStrictly();
  return [{ input: key.slice(INPUT_CONVERSION.length), from: SOURCES[names.indexOf(from)] ?? 'INVALID', scale, offset, axis }];
}

/** The path that faults found later name. */
export function conversionPath(input: string): string {
  return `parameters[${shown(INPUT_CONVERSION + input)}].string_value`;
}

/** Do they fit the model? Inputs that the configuration leaves out are complained about elsewhere. */
export function checkConversions(
  conversions: readonly InputConversion[],
  inputs: readonly ConfiguredInput[],
  file: readonly NativeTensorSpec[],
  faults: ConfigFault[],
): void {
  for (const conversion of conversions) {
    const { input } = conversion;
    const inFile = file.find(({ name }) => name === input);
    const type = dataTypeName(inFile?.dataType ?? 0);
    const dims = inputs.find(({ name }) => name === input)?.dims;
    if (inFile === undefined) {
      const expected = `an input of the model file: ${shownNames(file.map(({ name }) => name))}`;
      const fix = `write ${INPUT_CONVERSION} and the name that the model file has`;
      faults.push({ field: `parameters[${shown(INPUT_CONVERSION + input)}]`, found: shown(input), expected, fix });
    } else if (type !== TARGET) {
      const found = `a conversion of ${shown(input)}, which is ${configDataType(type)} in the model file`;
      const expected = `an input of ${configDataType(TARGET)}`;
      faults.push({ field: conversionPath(input), found, expected, fix: 'remove the parameter' });
    } else if (dims !== undefined && channelsOf(conversion) > 1) {
      checkAxis(conversion, dims, faults);
    }
  }
}

function checkAxis(conversion: InputConversion, dims: readonly number[], faults: ConfigFault[]): void {
  const { input, axis } = conversion;
  const channels = channelsOf(conversion);
  if (axis === undefined) return;
  const fault = (found: string, expected: string, fix: string): void => {
    faults.push({ field: `${conversionPath(input)}.axis`, found: `${axis}, ${found}`, expected, fix });
  };
  const all = shownDims(dims);
  const size = dims[axis];
  const behind = dims.slice(axis + 1);
  const sizes = `write every size of ${shown(input)} from there on in the dims of its input`;
  if (size === undefined) fault(`while the dims are ${all}`, `less than ${dims.length}`, 'count from 0, as dims has them');
  else if (size === -1) fault(`which dims ${all} leave open`, `a dimension of ${channels}`, sizes);
  else if (size !== channels) fault(`which is ${size} in dims ${all}`, `a dimension of ${channels}`, 'give one number a channel, or one');
  else if (behind.includes(-1)) fault(`behind which dims ${all} are open`, 'a dimension with fixed sizes behind it', sizes);
  else if (channels * productOf(behind) > MAX_ELEMENTS)
    fault(`in dims ${all}`, `at most ${MAX_ELEMENTS} elements from it on`, 'use one number for all channels');
}

/** For the engine. They have been checked. */
export function planConversions(
  conversions: readonly InputConversion[],
  inputs: readonly ConfiguredInput[],
): readonly NativeInputConversion[] {
  return conversions.map((conversion) => {
    const { input, from, scale, offset, axis } = conversion;
    const channels = channelsOf(conversion);
    const dims = inputs.find(({ name }) => name === input)?.dims ?? [];
    const perChannel = (values: readonly number[]): readonly number[] =>
      values.length === channels ? values : Array.from({ length: channels }, () => values[0] ?? 0);
    return {
      input,
      from: dataTypeNumber(from),
      scale: perChannel(scale),
      offset: perChannel(offset),
      inner: channels > 1 && axis !== undefined ? productOf(dims.slice(axis + 1)) : 1,
    };
  });
}

/** As the config route answers them, every default filled in. */
export function conversionParameters(conversions: readonly InputConversion[]): Readonly<Record<string, object>> {
  const entries = conversions.map(({ input, from, scale, offset, axis }) => {
    const text = JSON.stringify({ from: configDataType(from), scale, offset, ...(axis === undefined ? {} : { axis }) });
    return [INPUT_CONVERSION + input, { string_value: text }] as const;
  });
  return Object.fromEntries(entries);
}

function channelsOf({ scale, offset }: Pick<InputConversion, 'scale' | 'offset'>): number {
  return Math.max(scale.length, offset.length);
}

/** Beyond 2^53 only roughly right, which is far beyond what is allowed. */
function productOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}
