/** Does a configuration fit its model file? Every fault is collected, each with the words to write instead. */
import { configDataType, dataTypeName, dataTypeNumber } from '../bridge/data-type.js';
import type { NativeApiInput, NativeApiTensor, NativeSignature, NativeTensorSpec } from '../bridge/control.js';
import type { CompleteConfig, CompleteTensor } from './auto-config.js';
import { configError, shown, shownDims, shownNames, type ConfigFault } from './config-fault.js';
import { checkConversions, conversionPath, type InputConversion } from './input-conversion.js';
import { checkPadding } from './pad-to-longest.js';

/** What clients see; with a batch dimension of -1 first where `maxBatchSize` is not 0. */
export interface ApiSignature {
  readonly maxBatchSize: number;
  readonly inputs: readonly NativeApiInput[];
  readonly outputs: readonly NativeApiTensor[];
}

/** Throws one ERR_MODEL_CONFIG that holds every fault. `source` names the configuration file. */
export function checkSignature(config: CompleteConfig, file: NativeSignature, source: string): ApiSignature {
  const faults: ConfigFault[] = [];
  const { maxBatchSize, conversions } = config;
  const inputs = checkSide('input', config.inputs, file.inputs, maxBatchSize, conversions, faults).map((tensor, i) => ({
    ...tensor,
    optional: config.inputs[i]?.optional === true,
  }));
  checkOptional(config.inputs, file.inputs, faults);
  const outputs = checkSide('output', config.outputs, file.outputs, maxBatchSize, [], faults);
  const given = new Set(config.inputs.map((tensor) => tensor.name));
  const missing = file.inputs.filter(({ name, optional }) => !optional && !given.has(name));
  for (const tensor of missing) {
    faults.push({
      field: 'input',
      found: `no input ${shown(tensor.name)}`,
      expected: 'every input that the model file requires',
      fix: `add input { name: ${shown(tensor.name)} }`,
    });
  }
  checkConversions(conversions, config.inputs, file.inputs, faults);
  checkPadding(config, file, faults);
  checkBatching(config, faults);
  if (faults.length > 0) throw configError(source, faults);
  return { maxBatchSize, inputs, outputs };
}

function checkOptional(inputs: readonly CompleteTensor[], file: readonly NativeTensorSpec[], faults: ConfigFault[]): void {
  inputs.forEach(({ name, optional }, i) => {
    const inFile = file.find((candidate) => candidate.name === name);
    if (!optional || inFile === undefined || inFile.optional) return;
    faults.push({
      field: `input[${i}].optional`,
      found: 'true',
      expected: `false, because the model file requires input ${shown(name)}`,
      fix: `remove it, or export the model with a default value: an initializer named ${shown(name)}, which is a graph input too`,
    });
  });
}

function checkBatching({ merge, maxBatchSize, batching }: CompleteConfig, faults: ConfigFault[]): void {
  if (merge === 'always' && maxBatchSize === 0) {
    faults.push({
      field: 'dynamic_batching',
      found: 'a message',
      expected: 'none, because max_batch_size is 0',
      fix: 'remove it, or set max_batch_size to 1 or more if the first dimension of every tensor is the batch',
    });
    return;
  }
  batching.preferredBatchSizes.forEach((size, i) => {
    if (size <= maxBatchSize) return;
    const expected = `a size from 1 to ${maxBatchSize}, which is max_batch_size`;
    const fix = 'leave this size out, or raise max_batch_size';
    faults.push({ field: `dynamic_batching.preferred_batch_size[${i}]`, found: String(size), expected, fix });
  });
}

function checkSide(
  side: 'input' | 'output',
  tensors: readonly CompleteTensor[],
  file: readonly NativeTensorSpec[],
  maxBatchSize: number,
  conversions: readonly InputConversion[],
  faults: ConfigFault[],
): readonly NativeApiTensor[] {
  return tensors.map((tensor, i) => {
    const path = `${side}[${i}]`;
    const inFile = file.find((candidate) => candidate.name === tensor.name);
    if (inFile === undefined) {
      const expected = `an ${side} of the model file: ${shownNames(file.map(({ name }) => name))}`;
      faults.push({ field: `${path}.name`, found: shown(tensor.name), expected, fix: 'use the name that the model file has' });
    } else {
      const conversion = conversions.find(({ input }) => input === tensor.name);
      if (conversion === undefined) checkDataType(path, tensor, inFile, faults);
      else checkSentType(path, tensor, conversion, faults);
      if (checkBatchDimension(path, inFile, maxBatchSize, faults)) checkDims(path, tensor, inFile, maxBatchSize, faults);
    }
    return { name: tensor.name, dataType: dataTypeNumber(tensor.dataType), dims: maxBatchSize > 0 ? [-1, ...tensor.dims] : tensor.dims };
  });
}

function checkDataType(path: string, tensor: CompleteTensor, inFile: NativeTensorSpec, faults: ConfigFault[]): void {
  const expected = dataTypeName(inFile.dataType);
  const field = `${path}.data_type`;
  if (expected === 'INVALID') {
    faults.push({
      field,
      found: `an unknown type for ${shown(tensor.name)} in the model file`,
      expected: 'a data type that requests can carry',
      fix: 'cast this tensor inside the model, and export it again',
    });
  } else if (tensor.dataType !== expected) {
    const text = configDataType(expected);
    faults.push({ field, found: configDataType(tensor.dataType), expected: `${text} as in the model file`, fix: `data_type: ${text}` });
  }
}

/** Whether the model file's type can be converted to is checked with the conversion. */
function checkSentType(path: string, tensor: CompleteTensor, { input, from }: InputConversion, faults: ConfigFault[]): void {
  if (tensor.dataType === from) return;
  const text = configDataType(from);
  const expected = `${text} as in ${conversionPath(input)}.from: the type that clients send`;
  faults.push({ field: `${path}.data_type`, found: configDataType(tensor.dataType), expected, fix: `data_type: ${text}` });
}

function checkBatchDimension(path: string, inFile: NativeTensorSpec, maxBatchSize: number, faults: ConfigFault[]): boolean {
  if (maxBatchSize === 0 || inFile.dims[0] === -1) return true;
  const shape = `${path} ${shown(inFile.name)} has the shape ${shownDims(inFile.dims)} in the model file`;
  faults.push({
    field: 'max_batch_size',
    found: String(maxBatchSize),
    expected: `0, because ${shape}, which ${inFile.dims.length === 0 ? 'has no' : 'fixes the'} first dimension`,
    fix: 'set max_batch_size: 0 and give whole shapes in dims, or export the model with a symbolic first dimension',
  });
  return false;
}

function checkDims(path: string, tensor: CompleteTensor, inFile: NativeTensorSpec, maxBatchSize: number, faults: ConfigFault[]): void {
  const expected = maxBatchSize > 0 ? inFile.dims.slice(1) : inFile.dims;
  const fits = tensor.dims.length === expected.length && tensor.dims.every((dim, i) => expected[i] === -1 || expected[i] === dim);
  if (fits) return;
  faults.push({
    field: `${path}.dims`,
    found: shownDims(tensor.dims),
    expected: `${shownDims(expected)} as in the model file${maxBatchSize > 0 ? ', without the batch dimension' : ''}`,
    fix: fixOfDims(tensor.dims, expected, inFile, maxBatchSize),
  });
}

function fixOfDims(found: readonly number[], expected: readonly number[], inFile: NativeTensorSpec, maxBatchSize: number): string {
  const right = `dims: ${shownDims(expected)}`;
  if (maxBatchSize > 0 && found.length === expected.length + 1) return `leave out the batch dimension: ${right}`;
  if (maxBatchSize === 0 && inFile.dims[0] === -1 && found.length === expected.length - 1) {
    return `write ${right}, or set max_batch_size to 1 or more if the first dimension is the batch`;
  }
  return right;
}
