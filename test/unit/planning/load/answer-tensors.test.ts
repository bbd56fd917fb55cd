import { describe, expect, it } from 'vitest';
import { answerTensors, differenceOf, type AnswerTensor } from '../../../../src/planning/load/answer-tensors.js';
import type { HttpAnswer } from '../../../../src/planning/load/http-target.js';

function answer(document: unknown, tails = new Uint8Array()): HttpAnswer {
  const json = new TextEncoder().encode(typeof document === 'string' ? document : JSON.stringify(document));
  return { body: new Uint8Array([...json, ...tails]), jsonBytes: json.length };
}

const y = (values: readonly (number | string)[], others: Partial<AnswerTensor> = {}): AnswerTensor => ({
  name: 'y',
  datatype: 'FP32',
  shape: [values.length],
  values,
  ...others,
});

describe('an inference answer', () => {
  it('is read from JSON, however its data are nested', () => {
    const output = { name: 'y', datatype: 'FP32', shape: [2, 2], data: [[1, 2], [3, 4]] }; // prettier-ignore
    expect(answerTensors(answer({ outputs: [output] }))).toEqual([{ name: 'y', datatype: 'FP32', shape: [2, 2], values: [1, 2, 3, 4] }]);
  });

  it('is read from binary tensors, one behind the other', () => {
    const outputs = [
      { name: 'a', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } },
      { name: 'b', datatype: 'INT64', shape: [1], parameters: { binary_data_size: 8 } },
      { name: 'c', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 6 } },
    ];
    const tails = new Uint8Array([0, 0, 0xc0, 0x3f, 0xfe, 255, 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0x68, 0x69]);
    expect(answerTensors(answer({ outputs }, tails))?.map(({ values }) => values)).toEqual([[1.5], [-2], ['hi']]);
  });

  it.each([
    ['the smallest FP16', 'FP16', [1, 0], 2 ** -24],
    ['a negative FP16', 'FP16', [0, 0xc5], -5],
    ['a BF16', 'BF16', [0x80, 0x3f], 1],
  ])('has %s', (_, datatype, bytes, value) => {
    const outputs = [{ name: 'y', datatype, shape: [1], parameters: { binary_data_size: 2 } }];
    expect(answerTensors(answer({ outputs }, new Uint8Array(bytes)))?.[0]?.values).toEqual([value]);
  });

  it.each([
    ['no JSON', answer('right')],
    ['JSON without outputs', answer({ error: 'x' })],
    ['an output without data', answer({ outputs: [{ name: 'y', datatype: 'FP32', shape: [1] }] })],
    ['fewer bytes than it says', answer({ outputs: [{ name: 'y', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } }] })],
    [
      'a text longer than its bytes',
      answer(
        { outputs: [{ name: 'y', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 4 } }] },
        new Uint8Array([9, 0, 0, 0]),
      ),
    ],
  ])('is not %s', (_, given) => {
    expect(answerTensors(given)).toBeUndefined();
  });
});

describe('two answers', () => {
  it('are the same within what floats may differ by, in any order of outputs', () => {
    expect(differenceOf([y([1000, 0, NaN]), y(['a'], { name: 'z' })], [y(['a'], { name: 'z' }), y([1000.9, 0.00009, NaN])])).toBeNull();
  });

  it.each([
    ['another name', y([1], { name: 'z' }), 'it has the outputs z instead of y'],
    ['another shape', y([1], { shape: [1, 1] }), 'its output "y" is FP32[1,1] instead of FP32[1]'],
    ['another type', y([1], { datatype: 'FP16' }), 'is FP16[1] instead of FP32[1]'],
    ['another number of values', y([1, 2], { shape: [1] }), 'has 2 values instead of 1'],
    ['another value', y([1.002]), 'its output "y" has 1.002 instead of 1 at 0'],
    ['a text for a number', y(['1']), 'has 1 instead of 1 at 0'],
  ])('differ by %s', (_, found, message) => {
    expect(differenceOf([y([1])], [found])).toContain(message);
  });
});
