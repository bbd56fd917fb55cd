/**
 * Requests of different length in one batch. A parameter of our own, with the inputs whose rows are padded behind to the longest of their
 * batch, each with what to pad with (0 where nothing is said):
 *
 *     parameters { key: "pad_to_longest" value { string_value: "input_ids=0,attention_mask=0" } }
 *
 * The length is the one dimension that such an input leaves open. Outputs that are as long, by the name of that dimension in the model file,
 * are cut back to what each request sent.
 */
import type { NativeCutOutput, NativePaddedInput, NativeSignature, NativeTensorSpec } from '../bridge/control.js';
import { configDataType } from '../bridge/data-type.js';
import type { CompleteConfig, CompleteTensor } from './auto-config.js';
import { shown, shownDims, shownNames, type ConfigFault } from './config-fault.js';
import type { ConfigReader } from './config-reader.js';
import { elementBytes } from './element-bytes.js';

export const PAD_TO_LONGEST = 'pad_to_longest';

export interface Padding {
  readonly input: string;
  /** As the configuration has it. */
  readonly value: string;
}

export interface PaddingPlan {
  readonly paddedInputs: readonly NativePaddedInput[];
  readonly cutOutputs: readonly NativeCutOutput[];
}

type PaddedConfig = Pick<CompleteConfig, 'inputs' | 'outputs' | 'maxBatchSize' | 'merge' | 'padding'>;
type Fault = (found: string, expected: string, fix: string) => void;

const FIELD = `parameters[${shown(PAD_TO_LONGEST)}].string_value`;

export function readPadding(parameter: ConfigReader): readonly Padding[] {
  const padding = parameter.text('string_value').split(',').map(readOne);
  const fault: Fault = (found, expected, fix) => parameter.faultOf('string_value', found, expected, fix);
  const fix = 'write such as "input_ids=0,attention_mask=0"';
  padding.forEach(({ input, value }, i) => {
    if (input === '') fault('a padding without a name', 'names of inputs, each with what to pad it with', fix);
    else if (value === '') fault(`nothing behind ${shown(`${input}=`)}`, 'a number', fix);
    else if (padding.findIndex((other) => other.input === input) < i) fault(`${shown(input)} again`, 'each input once', 'remove one');
  });
  return padding;
}

function readOne(text: string): Padding {
  const at = text.lastIndexOf('=');
  return at < 0 ? { input: text.trim(), value: '0' } : { input: text.slice(0, at).trim(), value: text.slice(at + 1).trim() };
}

/** Does it fit the model? */
export function checkPadding(config: PaddedConfig, file: NativeSignature, faults: ConfigFault[]): void {
  const { padding, inputs, outputs, maxBatchSize, merge } = config;
  if (padding.length === 0) return;
  const fault: Fault = (found, expected, fix) => void faults.push({ field: FIELD, found, expected, fix });
  // Batches of one row are no contradiction: there is nothing to pad.
  if (maxBatchSize === 0 || (merge === 'never' && maxBatchSize > 1)) {
    fault('inputs to pad', 'none, because requests do not share batches', 'add dynamic_batching { }, or remove the parameter');
    return;
  }
  for (const { input, value } of padding) {
    const tensor = inputs.find(({ name }) => name === input);
    if (tensor !== undefined) checkInput(tensor, value, fault);
    else fault(shown(input), `an input of this model: ${shownNames(inputs.map(({ name }) => name))}`, 'write the name that input has');
  }
  const names = new Set(padding.map(({ input }) => lengthName(input, inputs, file.inputs)).filter((name) => name !== undefined));
  if (names.size > 1) {
    const all = [...names].map((name) => (name === '' ? 'none' : shown(name))).join(' and ');
    fault(`inputs whose open dimensions have different names in the model file (${all})`, 'inputs of one length', 'name only such inputs');
  }
  const length = [...names][0] ?? '';
  const others = inputs.filter(({ name }) => !padding.some(({ input }) => input === name));
  for (const other of others) checkOther(other, openNames(other, file.inputs), length, fault);
  const known = new Set([length, ...others.flatMap((other) => openNames(other, file.inputs))]);
  for (const output of outputs) checkOutput(output, openNames(output, file.outputs), length, known, fault);
}

function checkInput({ name, dataType, dims }: CompleteTensor, value: string, fault: Fault): void {
  const open = dims.filter((dim) => dim === -1).length;
  const elsewhere = 'leave this input out';
  if (dataType === 'BYTES') fault(`${shown(name)}, which is ${configDataType(dataType)}`, 'inputs of numbers', elsewhere);
  else if (elementBytes(dataType, value) === undefined)
    fault(`${shown(`${name}=${value}`)}`, `a value of ${configDataType(dataType)}`, 'write one that the type of the input has');
  if (open === 0) fault(`${shown(name)}, whose dims ${shownDims(dims)} leave nothing open`, 'one open dimension (-1)', elsewhere);
  if (open > 1)
    fault(`${shown(name)}, whose dims ${shownDims(dims)} leave ${open} open`, 'one open dimension (-1)', 'write the sizes of the others');
}

/** The names in the model file of what it leaves open, beyond the batch; empty where there is none. */
function openNames({ name, dims }: CompleteTensor, file: readonly NativeTensorSpec[]): readonly string[] {
  const names = file.find((tensor) => tensor.name === name)?.symbolicDims.slice(1) ?? [];
  return dims.flatMap((dim, i) => (dim === -1 ? [names[i] ?? ''] : []));
}

/** An input that is not padded. One of the same length would keep requests apart, and those that are wrong alone would pass in company. */
function checkOther({ name }: CompleteTensor, names: readonly string[], length: string, fault: Fault): void {
  if (!names.some((found) => found === '' || found === length)) return;
  const how = names.includes('') ? 'which is open and may be as long as the padded ones' : 'which is as long as the padded ones';
  fault(`no padding for input ${shown(name)}, ${how}`, 'all inputs of that length', `add ${shown(name)}`);
}

/** Which of its dimensions are as long as the padded inputs only names tell; one that no input has may follow from their length. */
function checkOutput(
  { name, dataType, dims }: CompleteTensor,
  names: readonly string[],
  length: string,
  known: ReadonlySet<string>,
  fault: Fault,
): void {
  const unnamed = names.includes('');
  const isOpen = names.length > 0;
  const fix = 'export the model with the same name for both (dynamic_axes), or remove the parameter';
  const expected = 'names in the model file, which tell whether it is as long as the padded inputs';
  const unknown = names.find((found) => !known.has(found));
  if (unnamed) fault(`output ${shown(name)}, whose open dimensions in ${shownDims(dims)} have no name`, expected, fix);
  else if (isOpen && length === '')
    fault(`padded inputs without a name for their length, and output ${shown(name)}, which is open`, expected, fix);
  else if (unknown !== undefined)
    fault(`output ${shown(name)}, whose dimension ${shown(unknown)} no input has`, 'dimensions that padding does not change', fix);
  else if (dataType === 'BYTES' && length !== '' && names.includes(length))
    fault(`output ${shown(name)} of ${configDataType(dataType)}, which is as long as the padded inputs`, 'numbers', 'remove the parameter');
}

/** Of the padded dimension; empty where it has none, undefined where the input is wrong, which is complained about elsewhere. */
function lengthName(input: string, inputs: readonly CompleteTensor[], file: readonly NativeTensorSpec[]): string | undefined {
  const dim = inputs.find(({ name }) => name === input)?.dims.indexOf(-1) ?? -1;
  return dim < 0 ? undefined : file.find(({ name }) => name === input)?.symbolicDims[dim + 1];
}

/** For the engine. The configuration has been checked. */
export function planPadding({ padding, inputs, outputs }: PaddedConfig, file: NativeSignature): PaddingPlan {
  const length = padding.map(({ input }) => lengthName(input, inputs, file.inputs))[0];
  const paddedInputs = padding.flatMap(({ input, value }) => {
    const tensor = inputs.find(({ name }) => name === input);
    if (tensor === undefined) return [];
    return [{ input, dim: tensor.dims.indexOf(-1) + 1, value: elementBytes(tensor.dataType, value) ?? [] }];
  });
  const cutOutputs = outputs.flatMap(({ name }) => {
    const names = file.outputs.find((tensor) => tensor.name === name)?.symbolicDims ?? [];
    const dims = names.flatMap((found, dim) => (dim > 0 && length !== undefined && length !== '' && found === length ? [dim] : []));
    return dims.length > 0 ? [{ output: name, dims }] : [];
  });
  return { paddedInputs, cutOutputs };
}

/** As the config route answers it, every value filled in. */
export function paddingParameters(padding: readonly Padding[]): Readonly<Record<string, object>> {
  if (padding.length === 0) return {};
  return { [PAD_TO_LONGEST]: { string_value: padding.map(({ input, value }) => `${input}=${value}`).join(',') } };
}
