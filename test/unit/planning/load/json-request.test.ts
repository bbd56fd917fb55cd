import { describe, expect, it } from 'vitest';
import { isAllJson, jsonRequest } from '../../../../src/planning/load/json-request.js';
import { binaryRequest } from '../../../../src/planning/load/binary-request.js';
import type { HttpRequest } from '../../../../src/planning/load/http-target.js';
import { sampleTensors, type SampleTensors, type TensorMetadata } from '../../../../src/planning/load/sample-tensors.js';

function made(inputs: readonly TensorMetadata[]): SampleTensors {
  const request = sampleTensors(inputs, { batchSize: 1, shapes: new Map(), data: 'random', seed: 1 });
  if ('faults' in request) throw new Error(request.faults.join('\n'));
  return request;
}

interface Inputs {
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[]; readonly data: readonly unknown[] }[];
}
const sent = ({ body }: HttpRequest): Inputs['inputs'] => (JSON.parse(new TextDecoder().decode(body)) as Inputs).inputs;
const one = (datatype: string): readonly unknown[] => sent(jsonRequest(made([{ name: 'x', datatype, shape: [4] }])))[0]?.data ?? [];

describe('a request in JSON', () => {
  it('carries the tensors that the binary one carries', () => {
    const tensors = made([
      { name: 'a', datatype: 'FP32', shape: [2, 3] },
      { name: 'b', datatype: 'INT64', shape: [3] },
    ]);
    const binary = binaryRequest(tensors);
    const request = jsonRequest(tensors);
    expect([isAllJson(binary), isAllJson(request)]).toEqual([false, true]);
    expect(request.shapes).toEqual(binary.shapes);
    const view = new DataView(binary.body.buffer, binary.body.byteOffset + binary.jsonBytes);
    const [a, b] = sent(request);
    expect(a).toMatchObject({ name: 'a', shape: [2, 3], datatype: 'FP32' });
    expect(a?.data.map((value) => Math.fround(Number(value)))).toEqual([0, 1, 2, 3, 4, 5].map((i) => view.getFloat32(4 * i, true)));
    expect(b?.data).toEqual([0, 1, 2].map((i) => Number(view.getBigInt64(24 + 8 * i, true))));
  });

  it('has no more digits than a float needs', () => {
    expect(one('FP32').every((value) => JSON.stringify(value).length <= '0.123456789'.length)).toBe(true);
  });

  it.each(['FP16', 'BF16', 'FP32', 'FP64'])('has %s values from 0.5 to 1', (datatype) => {
    const data = one(datatype);
    expect(data).toHaveLength(4);
    expect(new Set(data).size).toBeGreaterThan(1);
    expect(data.every((value) => typeof value === 'number' && value >= 0.5 && value <= 1)).toBe(true);
  });

  it('has texts as texts and truth values as such', () => {
    expect(one('BYTES')).toEqual(['penstock', 'penstock', 'penstock', 'penstock']);
    expect(one('BOOL').every((value) => typeof value === 'boolean')).toBe(true);
  });

  it.each(['UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'])('has digits for %s', (datatype) => {
    expect(one(datatype).every((value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 9)).toBe(true);
  });
});
