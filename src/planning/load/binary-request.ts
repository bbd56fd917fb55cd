/** An inference request over HTTP with binary tensors: its JSON part and, behind it, the tensors. */
import type { HttpRequest } from './http-target.js';
import type { SampleTensors } from './sample-tensors.js';

export function binaryRequest({ tensors, shapes }: SampleTensors): HttpRequest {
  const json = new TextEncoder().encode(
    JSON.stringify({
      inputs: tensors.map(({ name, shape, datatype, data }) => ({
        name,
        shape,
        datatype,
        parameters: { binary_data_size: data.length },
      })),
      parameters: { binary_data_output: true },
    }),
  );
  const body = Buffer.concat([json, ...tensors.map(({ data }) => data)]);
  return { body, jsonBytes: json.length, shapes };
}
