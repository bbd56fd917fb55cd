/** Fills in what a configuration leaves out, from the model file. What is given is kept, right or wrong: signature-check.ts compares. */
import { dataTypeName, type DataTypeName } from '../bridge/data-type.js';
import type { NativeBatching, NativeSignature, NativeTensorSpec } from '../bridge/control.js';
import { DEFAULT_BATCHING, type DynamicBatching } from './batching-config.js';
import type { InputConversion } from './input-conversion.js';
import type { ConfigTensor, ModelConfig, TensorFormat } from './model-config.js';
import type { Padding } from './pad-to-longest.js';

/** Rows of a batch where nobody has said how many. */
export const AUTO_MAX_BATCH_SIZE = 32;

export interface CompleteTensor {
  readonly name: string;
  /** What clients send. */
  readonly dataType: DataTypeName;
  /** Without the batch dimension when the model is batched. */
  readonly dims: readonly number[];
  readonly format: TensorFormat;
  readonly optional: boolean;
}

export interface CompleteConfig {
  /** 0 = not batched. */
  readonly maxBatchSize: number;
  readonly inputs: readonly CompleteTensor[];
  readonly outputs: readonly CompleteTensor[];
  readonly conversions: readonly InputConversion[];
  readonly padding: readonly Padding[];
  /** Whether requests share batches; `checked`: where the engine finds that rows do not depend on each other. */
  readonly merge: NativeBatching['merge'];
  readonly batching: DynamicBatching;
}

export function completeConfig(config: ModelConfig, file: NativeSignature): CompleteConfig {
  const maxBatchSize = config.maxBatchSize ?? autoMaxBatchSize(config, file);
  const batched = maxBatchSize > 0;
  return {
    maxBatchSize,
    inputs: completeSide(config.inputs, file.inputs, batched, config.conversions),
    outputs: completeSide(config.outputs, file.outputs, batched, []),
    conversions: config.conversions,
    padding: config.padding,
    merge: mergeOf(config, maxBatchSize),
    batching: config.batching ?? DEFAULT_BATCHING,
  };
}

/** As Triton: a configuration that leaves tensors out gets a batcher where the model takes batches. Nobody has vouched for the rows, though. */
function mergeOf({ batching, inputs, outputs }: ModelConfig, maxBatchSize: number): NativeBatching['merge'] {
  if (batching !== undefined) return 'always';
  const isComplete = inputs.length > 0 && outputs.length > 0;
  return isComplete || maxBatchSize <= 1 ? 'never' : 'checked';
}

function autoMaxBatchSize(config: ModelConfig, file: NativeSignature): number {
  // Dims on both sides and no max_batch_size: whoever wrote that meant Triton's default of 0, under which dims are whole shapes.
  if ([config.inputs, config.outputs].every((side) => side.some((tensor) => tensor.dims !== undefined))) return 0;
  const named = new Set(config.inputs.map(({ name }) => name));
  const tensors = [...file.inputs.filter(({ name, optional }) => !optional || named.has(name)), ...file.outputs];
  return tensors.length > 0 && tensors.every((tensor) => tensor.dims[0] === -1) ? AUTO_MAX_BATCH_SIZE : 0;
}

const UNSAID = { dataType: undefined, dims: undefined, format: 'FORMAT_NONE', optional: false } as const;

function completeSide(
  given: readonly ConfigTensor[],
  file: readonly NativeTensorSpec[],
  batched: boolean,
  conversions: readonly InputConversion[],
): readonly CompleteTensor[] {
  // As Triton: optional inputs are those that a configuration names. Converters list all weights of a model among them.
  const wanted = given.length > 0 ? given : file.filter(({ optional }) => !optional).map(({ name }) => ({ ...UNSAID, name }));
  return wanted.map(({ name, dataType, dims, format, optional }) => {
    const inFile = file.find((tensor) => tensor.name === name);
    const conversion = conversions.find(({ input }) => input === name);
    return {
      name,
      dataType: dataType ?? conversion?.from ?? dataTypeName(inFile?.dataType ?? 0),
      dims: dims ?? inFile?.dims.slice(batched ? 1 : 0) ?? [],
      format,
      optional,
    };
  });
}
