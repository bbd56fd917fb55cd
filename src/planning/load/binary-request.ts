/** An inference request over HTTP with binary tensors: its JSON part and, behind it, the tensors. */
import { sampleTensors, type SampleChoices, type TensorMetadata } from './sample-tensors.js';

export interface BinaryRequest {
  readonly body: Uint8Array;
  readonly jsonBytes: number;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/** Either the request, or everything that keeps it from being made, one sentence each. */
export function binaryRequest(inputs: readonly TensorMetadata[], choices: SampleChoices): BinaryRequest | { readonly faults: string[] } {
  const sample = sampleTensors(inputs, choices);
  if ('faults' in sample) return sample;
  const json = new TextEncoder().encode(
    JSON.stringify({
      inputs: sample.tensors.map(({ name, shape, datatype, data }) => ({
        name,
        shape,
        datatype,
        parameters: { binary_data_size: data.length },
      })),
      parameters: { binary_data_output: true },
    }),
  );
  const body = Buffer.concat([json, ...sample.tensors.map(({ data }) => data)]);
  return { body, jsonBytes: json.length, shapes: sample.shapes };
}
