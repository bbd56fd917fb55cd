/** What every form of the protocol must answer alike: requests with the outputs they must bring, to the byte. */
import { bytes, fp32, int32, int64, type TestTensor } from '../support/tensors.js';
import type { Form, Inference } from '../support/protocols.js';

export interface AnsweredCase extends Inference {
  readonly title: string;
  readonly expected: readonly TestTensor[];
  /** Forms that cannot say this, and why. */
  readonly without?: Readonly<Partial<Record<Form, string>>>;
}

const RAW_ONLY = { 'gRPC contents': '16-bit floats have no contents field' };
const NOT_UTF8 = { 'HTTP JSON': 'JSON strings are UTF-8' };

function raw(datatype: string, shape: readonly number[], array: ArrayBufferView): TestTensor {
  return { name: 'INPUT0', datatype, shape, raw: Buffer.from(array.buffer, array.byteOffset, array.byteLength) };
}

function identity(title: string, input: TestTensor, without: AnsweredCase['without'] = {}): AnsweredCase {
  const type = input.datatype === 'BYTES' ? 'string' : input.datatype.toLowerCase();
  return { title, model: `identity_${type}`, inputs: [input], expected: [{ ...input, name: 'OUTPUT0' }], without };
}

/** The ends of each type's range among them. */
const everyType: readonly AnsweredCase[] = [
  identity('BOOL', raw('BOOL', [2, 3], Uint8Array.of(0, 1, 1, 0, 0, 1))),
  identity('UINT8', raw('UINT8', [2, 2], Uint8Array.of(0, 1, 127, 255))),
  identity('UINT16', raw('UINT16', [2, 2], Uint16Array.of(0, 1, 32_768, 65_535))),
  identity('UINT32', raw('UINT32', [2, 2], Uint32Array.of(0, 1, 2 ** 31, 2 ** 32 - 1))),
  identity('UINT64 beyond 2^53', raw('UINT64', [1, 3], BigUint64Array.of(0n, 2n ** 53n + 1n, 2n ** 64n - 1n))),
  identity('INT8', raw('INT8', [2, 2], Int8Array.of(-128, -1, 0, 127))),
  identity('INT16', raw('INT16', [2, 2], Int16Array.of(-32_768, -1, 0, 32_767))),
  identity('INT32', raw('INT32', [2, 2], Int32Array.of(-(2 ** 31), -1, 0, 2 ** 31 - 1))),
  identity('INT64 beyond 2^53', raw('INT64', [2, 2], BigInt64Array.of(-(2n ** 63n), -(2n ** 53n) - 1n, 0n, 2n ** 63n - 1n))),
  // 0, -0, 1.5, the largest, the smallest normal and the smallest subnormal number.
  identity('FP16', raw('FP16', [2, 3], Uint16Array.of(0, 0x8000, 0x3e00, 0x7bff, 0x0400, 0x0001)), RAW_ONLY),
  identity('BF16', raw('BF16', [2, 3], Uint16Array.of(0, 0x8000, 0x3fc0, 0x7f7f, 0x0080, 0xc2f7)), RAW_ONLY),
  identity('FP32', fp32('INPUT0', [2, 3], [0, -0, 0.1, -3.4028234663852886e38, 1.1754943508222875e-38, 1e-45])),
  identity('FP64', raw('FP64', [2, 3], Float64Array.of(0, -0, 0.1, -1.7976931348623157e308, 2.2250738585072014e-308, 5e-324))),
  identity('BYTES', bytes('INPUT0', [2, 2], ['a', 'bc', '', 'd'.repeat(300)])),
];

const texts = ['Grüße', '日本語 🚰', '', ' \t\n"\\/', 'a\u0000b', '\u0000', '\u2028'];
const row = (first: number): number[] => Array.from({ length: 16 }, (_, i) => first + i);
const sumAndDifference: Inference = {
  model: 'add_sub',
  inputs: [int32('INPUT0', [1, 16], row(100)), int32('INPUT1', [1, 16], row(-3))],
};
const sum = int32(
  'OUTPUT0',
  [1, 16],
  row(0).map((i) => 97 + 2 * i),
);
const difference = int32('OUTPUT1', [1, 16], Array<number>(16).fill(103));

export const answeredCases: readonly AnsweredCase[] = [
  ...everyType,
  { title: 'two inputs and two outputs', ...sumAndDifference, expected: [sum, difference] },
  {
    title: 'inputs in another order than the model has them',
    ...sumAndDifference,
    inputs: [...sumAndDifference.inputs].reverse(),
    expected: [sum, difference],
  },
  {
    title: 'a full batch',
    model: 'add_sub',
    inputs: [int32('INPUT0', [64, 16], Array<number>(1024).fill(2)), int32('INPUT1', [64, 16], Array<number>(1024).fill(3))],
    expected: [int32('OUTPUT0', [64, 16], Array<number>(1024).fill(5)), int32('OUTPUT1', [64, 16], Array<number>(1024).fill(-1))],
  },
  { title: 'one output of two', ...sumAndDifference, outputs: ['OUTPUT1'], expected: [difference] },
  { title: 'outputs in the order that was asked for', ...sumAndDifference, outputs: ['OUTPUT1', 'OUTPUT0'], expected: [difference, sum] },
  {
    title: 'parameters that mean nothing here',
    ...sumAndDifference,
    id: 'with parameters',
    parameters: { text: 'x', count: -7, flag: true, ratio: 0.5, priority: 1, timeout: 60_000_000 },
    expected: [sum, difference],
  },
  { title: 'an id with characters beyond ASCII and quotes', ...sumAndDifference, id: 'Zürich "1"\n🚰', expected: [sum, difference] },
  {
    title: 'text of every kind',
    model: 'echo_text',
    inputs: [bytes('text', [texts.length, 1], texts)],
    expected: [bytes('echo', [texts.length, 1], texts)],
  },
  {
    title: 'bytes that are no text',
    model: 'echo_text',
    inputs: [bytes('text', [2, 1], [Buffer.of(0xff, 0x00, 0xc3), Buffer.of(0x80)])],
    expected: [bytes('echo', [2, 1], [Buffer.of(0xff, 0x00, 0xc3), Buffer.of(0x80)])],
    without: NOT_UTF8,
  },
  identity('a tensor without elements', fp32('INPUT0', [2, 0], [])),
  identity('a BYTES tensor without elements', bytes('INPUT0', [3, 0], [])),
  { title: 'a tensor of rank 0', model: 'scalar', inputs: [fp32('INPUT0', [], [2.5])], expected: [fp32('OUTPUT0', [], [-2.5])] },
  {
    title: 'an output whose shape only the run decides',
    model: 'nonzero',
    inputs: [fp32('INPUT0', [2, 3], [0, 1, 0, 2, 0, 3])],
    expected: [int64('OUTPUT0', [2, 3], [0n, 1n, 1n, 1n, 0n, 2n])],
  },
  {
    title: 'an output that comes out empty',
    model: 'nonzero',
    inputs: [fp32('INPUT0', [2, 2], [0, 0, 0, 0])],
    expected: [int64('OUTPUT0', [2, 0], [])],
  },
  {
    title: 'inputs of different lengths',
    model: 'two_in_one_out',
    inputs: [fp32('INPUT0', [2, 1], [1, 2]), fp32('INPUT1', [2, 3], [3, 4, 5, 6, 7, 8])],
    expected: [fp32('OUTPUT0', [2, 4], [1, 3, 4, 5, 2, 6, 7, 8])],
  },
  {
    title: 'an optional input that is left out',
    model: 'scaled',
    inputs: [fp32('x', [2, 2], [1, 2, 3, 0.5])],
    expected: [fp32('y', [2, 2], [3, 6, 9, 1.5])],
  },
  {
    title: 'an optional input that is given',
    model: 'scaled',
    inputs: [fp32('scale', [2, 1], [-1, 10]), fp32('x', [2, 2], [1, 2, 3, 0.5])],
    expected: [fp32('y', [2, 2], [-1, -2, 30, 5])],
  },
  {
    title: 'another optional input of the same model',
    model: 'scaled',
    inputs: [fp32('x', [1, 2], [1, 2]), int64('turns', [1, 1], [1n])],
    expected: [fp32('y', [1, 2], [3, 6])],
  },
  {
    title: 'all optional inputs',
    model: 'scaled',
    inputs: [fp32('x', [1, 2], [1, 2]), fp32('scale', [1, 1], [7]), int64('turns', [1, 1], [1n])],
    expected: [fp32('y', [1, 2], [7, 14])],
  },
  {
    title: 'a model without a batch dimension',
    model: 'identity_fixed',
    inputs: [fp32('INPUT0', [2, 3], [1, 2, 3, 4, 5, 6])],
    expected: [fp32('OUTPUT0', [2, 3], [1, 2, 3, 4, 5, 6])],
  },
];
