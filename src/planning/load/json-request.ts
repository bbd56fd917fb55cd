/** Inference requests all in JSON, for servers without the extension for binary tensors. */
import type { HttpRequest } from './http-target.js';
import type { SampleTensor, SampleTensors } from './sample-tensors.js';
import { tensorValues } from './tensor-values.js';

/** Digits after which reading gives the same float again. */
const DIGITS: Readonly<Record<string, number>> = { FP16: 5, BF16: 4, FP32: 9 };

/** The same tensors; the answer is then in JSON as well. */
export function jsonRequest({ shapes, tensors }: SampleTensors): HttpRequest {
  const inputs = tensors.map((tensor) => ({ name: tensor.name, shape: tensor.shape, datatype: tensor.datatype, data: dataOf(tensor) }));
  const body = new TextEncoder().encode(JSON.stringify({ inputs }));
  return { body, jsonBytes: body.length, shapes };
}

export function isAllJson({ body, jsonBytes }: Pick<HttpRequest, 'body' | 'jsonBytes'>): boolean {
  return jsonBytes === body.length;
}

function dataOf(tensor: SampleTensor): unknown[] {
  const digits = DIGITS[tensor.datatype];
  return (tensorValues(tensor) ?? []).map((value) => {
    if (tensor.datatype === 'BOOL') return value !== 0;
    return typeof value === 'number' && digits !== undefined ? Number(value.toPrecision(digits)) : value;
  });
}
