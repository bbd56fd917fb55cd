import { describe, expect, it } from 'vitest';
import { binaryRequest } from '../../../../src/planning/load/binary-request.js';
import type { HttpRequest } from '../../../../src/planning/load/http-target.js';
import { sampleTensors, type SampleChoices, type TensorMetadata } from '../../../../src/planning/load/sample-tensors.js';

const choices: SampleChoices = { batchSize: 1, shapes: new Map(), data: 'random', seed: 1 };
const input = (name: string, datatype: string, shape: readonly number[]): TensorMetadata => ({ name, datatype, shape });

function made(inputs: readonly TensorMetadata[], other: Partial<SampleChoices> = {}): HttpRequest {
  const sample = sampleTensors(inputs, { ...choices, ...other });
  if ('faults' in sample) throw new Error(sample.faults.join('\n'));
  return binaryRequest(sample);
}

function faultsOf(inputs: readonly TensorMetadata[], other: Partial<SampleChoices> = {}): string {
  const sample = sampleTensors(inputs, { ...choices, ...other });
  return 'faults' in sample ? sample.faults.join('\n') : '';
}

const data = ({ body, jsonBytes }: HttpRequest): DataView =>
  new DataView(body.buffer, body.byteOffset + jsonBytes, body.byteLength - jsonBytes);

describe('a request for a measurement', () => {
  it('has its JSON part first and the tensors behind it', () => {
    const request = made([input('a', 'FP32', [-1, 2]), input('b', 'INT64', [-1])], { batchSize: 3 });
    expect(JSON.parse(new TextDecoder().decode(request.body.subarray(0, request.jsonBytes)))).toEqual({
      inputs: [
        { name: 'a', shape: [3, 2], datatype: 'FP32', parameters: { binary_data_size: 24 } },
        { name: 'b', shape: [3], datatype: 'INT64', parameters: { binary_data_size: 24 } },
      ],
      parameters: { binary_data_output: true },
    });
    expect(request.body.length).toBe(request.jsonBytes + 48);
  });

  it('has floats from 0.5 to 1 in every format', () => {
    const fp16 = (bits: number): number => 2 ** ((bits >> 10) - 15) * (1 + (bits & 0x3ff) / 1024);
    const bf16 = (bits: number): number => 2 ** ((bits >> 7) - 127) * (1 + (bits & 0x7f) / 128);
    const read: Record<string, (view: DataView, i: number) => number> = {
      FP16: (view, i) => fp16(view.getUint16(2 * i, true)),
      BF16: (view, i) => bf16(view.getUint16(2 * i, true)),
      FP32: (view, i) => view.getFloat32(4 * i, true),
      FP64: (view, i) => view.getFloat64(8 * i, true),
    };
    for (const [datatype, valueAt] of Object.entries(read)) {
      const view = data(made([input('x', datatype, [500])]));
      const values = Array.from({ length: 500 }, (_, i) => valueAt(view, i));
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0.5);
      expect(Math.max(...values)).toBeLessThanOrEqual(1);
      expect(values.reduce((sum, value) => sum + value, 0) / 500).toBeCloseTo(0.75, 1);
    }
  });

  it('has integers from 0 to 9, which are indices of most tables', () => {
    const view = data(made([input('x', 'INT32', [200])]));
    const values = Array.from({ length: 200 }, (_, i) => view.getInt32(4 * i, true));
    expect(new Set(values)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  });

  it('has texts with their lengths', () => {
    const text = Buffer.concat([Buffer.from([8, 0, 0, 0]), Buffer.from('penstock')]);
    expect(Buffer.from(made([input('x', 'BYTES', [2])]).body).subarray(-24)).toEqual(Buffer.concat([text, text]));
  });

  it('is the same for the same seed only', () => {
    const body = (seed: number): Buffer => Buffer.from(made([input('x', 'FP32', [16])], { seed }).body);
    expect(body(7)).toEqual(body(7));
    expect(body(7)).not.toEqual(body(8));
  });

  it('may have zeros', () => {
    const view = data(made([input('x', 'FP32', [4])], { data: 'zeros' }));
    expect(view.byteLength).toBe(16);
    expect(Array.from({ length: 16 }, (_, i) => view.getUint8(i))).toEqual(Array<number>(16).fill(0));
  });

  it('takes whole shapes where dimensions are free', () => {
    const request = made([input('x', 'UINT8', [-1, 3, -1, -1])], { shapes: new Map([['x', [2, 3, 4, 5]]]) });
    expect(request.shapes).toEqual({ x: [2, 3, 4, 5] });
  });

  it('has the rows in place of a first dimension of -1, and refuses shapes that contradict the rows', () => {
    const inputs = [input('x', 'UINT8', [-1, -1]), input('y', 'UINT8', [-1, 3])];
    const rows = (batchSize: number): unknown => made(inputs, { batchSize, shapes: new Map([['x', [-1, 5]]]) }).shapes;
    expect(rows(4)).toEqual({ x: [4, 5], y: [4, 3] });
    expect(rows(1)).toEqual({ x: [1, 5], y: [1, 3] });
    const contrary = { batchSize: 4, shapes: new Map([['x', [2, 5]]]) };
    expect(faultsOf(inputs, contrary)).toBe('--shape x:2,5 has 2 rows, and --batch-size is 4: give both the same number');
    expect(made(inputs, { batchSize: 4, shapes: new Map([['x', [4, 5]]]) }).shapes).toEqual({ x: [4, 5], y: [4, 3] });
  });

  it('is refused with the reason', () => {
    const image = input('x', 'FP32', [-1, 3, -1, -1]);
    expect(faultsOf([image])).toBe('the input "x" takes [-1,3,-1,-1]: choose a shape with --shape x:D,D,...');
    expect(faultsOf([image], { shapes: new Map([['x', [1, 4, 2, 2]]]) })).toContain('[1,4,2,2] is not a shape of "x"');
    expect(faultsOf([input('x', 'FP32', [-1])], { shapes: new Map([['y', [1]]]) })).toContain('no input "y"; it has x');
    expect(faultsOf([input('x', 'FP32', [4])], { batchSize: 2 })).toContain('whose first dimension is not free');
    expect(faultsOf([input('x', 'FP8', [4])])).toContain('data type FP8');
    expect(faultsOf([image], { shapes: new Map([['x', [1, 3, 99_999, 99_999]]]) })).toContain('at most 1073741824 are sent');
  });
});
