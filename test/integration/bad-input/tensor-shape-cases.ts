/** Shapes: products that overflow (T1), shape tensors cut short (T5), zeros (T6), outputs without end (T7). */
import { int64 } from '../../support/tensors.js';
import { type BadCase } from './bad-case.js';
import { float32s, packed } from './protobuf-wire.js';
import { inAllForms, type BadTensor } from './tensor-forms.js';

/** Eight bytes or two elements, whatever the type: right for the true shape [1,2] of FP32, and for no shape below. */
const two = { data: '[1,2]', bytes: float32s(1, 2) };

const PRODUCT = /^inputs\[0\]\.shape: the product of the dims passes 9223372036854775807$/;
const DIMS = /^inputs\[0\]\.shape: found (more than 32|\d+) dims, expected at most 32$/;
const NOT_WHOLE = /^inputs\[0\]\.shape\[\d\]: found -?\d+, expected a whole number from 0 to 9223372036854775807$/;
const OTHER = /^inputs\[0\]\.shape: found \[[-\d,.]*\], expected \[[-\d,]+\] for input "/;
const COUNT = /^inputs\[0\]\.data: found 2 elements, expected \d+, the product of the shape$/;
const BATCH = /^inputs\[0\]\.shape\[0\]: found batch size \d+, expected at most 32$/;
/** Of JSON the data is read before the model is known; of the other forms the model's limits speak first. */
const firstCount = { json: COUNT, binary: BATCH, raw: BATCH };

const p = (exponent: number): bigint => 2n ** BigInt(exponent);

const overflows: readonly BadTensor[] = (
  [
    ['2^32 x 2^32', [p(32), p(32)], PRODUCT],
    ['(2^63 - 1) x 2', [p(63) - 1n, 2], PRODUCT],
    ['2 x (2^63 - 1)', [2, p(63) - 1n], PRODUCT],
    ['2^31 x 2^31 x 4', [p(31), p(31), 4], PRODUCT],
    ['2^62 x 2', [p(62), 2], PRODUCT],
    ['a product that wraps to 2', [p(63) - 1n, p(63) - 2n], PRODUCT],
    ['a product that wraps to the true size', [2, p(62) + 1n, 2], PRODUCT],
    ['a product that wraps to 0', [p(32), p(32), 1], PRODUCT],
    ['0 between dims that overflow', [p(62), 0, p(62)], PRODUCT],
    ['32 dims of 2^62', Array<bigint>(32).fill(p(62)), PRODUCT],
    ['33 dims of 1', Array<number>(33).fill(1), DIMS],
    ['64 dims of 2', Array<number>(64).fill(2), DIMS],
    ['1000 dims of 0', Array<number>(1000).fill(0), DIMS],
    ['-1', [1, -1], NOT_WHOLE],
    ['two times -1', [-1, -1], NOT_WHOLE],
    ['-2 for 2', [1, -2], NOT_WHOLE],
    ['-2^63', [1, -p(63)], NOT_WHOLE],
    ['-1 x -2, whose product is right', [-1, -2], NOT_WHOLE],
    ['2^63', [1, p(63)], NOT_WHOLE],
    ['2^64 + 2', [1, p(64) + 2n], NOT_WHOLE],
    ['2^70', [1, p(70)], NOT_WHOLE],
    ['a batch of 2^31', [p(31), 2], firstCount],
    ['a batch of 2^32', [p(32), 2], firstCount],
    ['a batch of 2^62', [p(62), 1], firstCount],
    ['a batch of 33', [33, 1], firstCount],
    [
      '2^30 FP32, whose bytes pass 2^32',
      [1, p(30)],
      { json: COUNT, binary: /^inputs\[0\]: found 8 bytes, expected 4294967296 for shape/, raw: /^inputs\[0\]: found 8 bytes/ },
    ],
    [
      '2^62 FP32, whose bytes wrap to 0',
      [1, p(62)],
      { json: COUNT, binary: /^inputs\[0\]: found 8 bytes/, raw: /^inputs\[0\]: found 8 bytes/ },
    ],
    [
      '2^62 + 2 FP32, whose bytes wrap to the true size',
      [1, p(62) + 2n],
      { json: COUNT, binary: /^inputs\[0\]: found 8 bytes/, raw: /^inputs\[0\]: found 8 bytes/ },
    ],
    ['no dims', [], { json: COUNT, binary: OTHER, raw: OTHER }],
    ['one dim', [2], OTHER],
    ['three dims', [1, 1, 2], OTHER],
  ] as const
).map(([name, shape, message]) => ({ row: 'T1', name: `shape: ${name}`, shape, message, ...two }));

/** The same where an element has another size, or none. */
const otherTypes: readonly BadTensor[] = [
  { datatype: 'INT64', model: 'identity_int64', shape: [1, p(61) + 1n], bytes: Buffer.alloc(8), data: '[1]' },
  { datatype: 'FP64', model: 'identity_fp64', shape: [1, p(61)], bytes: Buffer.alloc(8), data: '[1]' },
  { datatype: 'FP16', model: 'identity_fp16', shape: [1, p(63) - 1n], bytes: Buffer.alloc(2), data: '[1]' },
  { datatype: 'UINT8', model: 'identity_uint8', shape: [1, p(63) - 1n], bytes: Buffer.alloc(1), data: '[1]' },
  { datatype: 'BOOL', model: 'identity_bool', shape: [1, p(32)], bytes: Buffer.alloc(1), data: '[true]' },
  { datatype: 'BYTES', model: 'identity_string', shape: [1, p(62)], bytes: Buffer.alloc(4), data: '[""]' },
  { datatype: 'BYTES', model: 'identity_string', shape: [1, p(32)], bytes: Buffer.alloc(4), data: '[""]' },
].map((tensor) => ({
  row: 'T1',
  name: `shape: ${tensor.datatype} ${tensor.shape.join('x')}`,
  message: {
    json: /^inputs\[0\]\.data: found 1 elements, expected \d+, the product of the shape$/,
    binary: /^inputs\[0\]: found \d+ bytes, expected /,
    raw: /^inputs\[0\]: found \d+ bytes, expected /,
  },
  ...tensor,
}));

const disagreements: readonly BadTensor[] = [
  {
    row: 'T3',
    name: 'dims of identity_fixed turned round',
    model: 'identity_fixed',
    shape: [3, 2],
    data: '[1,2,3,4,5,6]',
    bytes: Buffer.alloc(24),
    message: OTHER,
  },
  {
    row: 'T6',
    name: 'a batch where the model has none',
    model: 'identity_fixed',
    shape: [1, 2, 3],
    data: '[1,2,3,4,5,6]',
    bytes: Buffer.alloc(24),
    message: OTHER,
  },
  {
    row: 'T6',
    name: 'a batch of 0',
    shape: [0, 2],
    data: '[]',
    bytes: Buffer.alloc(0),
    contents: Buffer.alloc(0),
    message: /^inputs\[0\]\.shape\[0\]: found batch size 0, batch size must be at least 1$/,
  },
  {
    row: 'T6',
    name: 'a batch of 0 rows of 0',
    shape: [0, 0],
    data: '[]',
    bytes: Buffer.alloc(0),
    contents: Buffer.alloc(0),
    message: /found batch size 0/,
  },
  {
    row: 'T6',
    name: '0 for a dim of 2',
    model: 'identity_fixed',
    shape: [0, 3],
    data: '[]',
    bytes: Buffer.alloc(0),
    contents: Buffer.alloc(0),
    message: OTHER,
  },
  {
    row: 'T6',
    name: 'nothing but 0',
    model: 'identity_fixed',
    shape: [0],
    data: '[]',
    bytes: Buffer.alloc(0),
    contents: Buffer.alloc(0),
    message: OTHER,
  },
  { row: 'T6', name: 'a picture of 0 x 0', model: 'image', shape: [1, 3, 0, 0], data: '[]', bytes: Buffer.alloc(0), message: OTHER },
  {
    row: 'T6',
    name: '0 elements with data',
    shape: [1, 0],
    data: '[1]',
    bytes: Buffer.alloc(4),
    message: {
      json: /^inputs\[0\]\.data: found 1 elements, expected 0/,
      binary: /^inputs\[0\]: found 4 bytes, expected 0/,
      raw: /^inputs\[0\]: found 4 bytes, expected 0/,
    },
  },
  {
    row: 'T6',
    name: '0 strings with data',
    model: 'identity_string',
    datatype: 'BYTES',
    shape: [1, 0],
    data: '[""]',
    bytes: Buffer.alloc(4),
    message: {
      json: /found 1 elements, expected 0/,
      binary: /^inputs\[0\]: found 4 bytes after the last of 0 elements$/,
      raw: /^inputs\[0\]: found 4 bytes after/,
    },
  },
  {
    row: 'T5',
    name: 'a shape tensor half as long',
    model: 'big_out',
    input: 'n',
    datatype: 'INT64',
    shape: [1],
    bytes: Buffer.alloc(4),
    message: /^inputs\[0\]: found 4 bytes, expected 8 for shape \[1\] INT64$/,
  },
  {
    row: 'T5',
    name: 'a shape tensor one byte short',
    model: 'big_out',
    input: 'n',
    datatype: 'INT64',
    shape: [1],
    bytes: Buffer.alloc(7),
    message: /^inputs\[0\]: found 7 bytes, expected 8/,
  },
  {
    row: 'T5',
    name: 'an empty shape tensor',
    model: 'big_out',
    input: 'n',
    datatype: 'INT64',
    shape: [0],
    data: '[]',
    bytes: Buffer.alloc(0),
    message: OTHER,
  },
  {
    row: 'T5',
    name: 'a shape tensor of two',
    model: 'big_out',
    input: 'n',
    datatype: 'INT64',
    shape: [2],
    data: '[1,1]',
    bytes: Buffer.alloc(16),
    message: OTHER,
  },
  {
    row: 'T5',
    name: 'a shape tensor of another type',
    model: 'big_out',
    input: 'n',
    datatype: 'INT32',
    shape: [1],
    data: '[1]',
    bytes: Buffer.alloc(4),
    message: /^inputs\[0\]\.datatype: found INT32, expected INT64 for input "n"$/,
  },
];

/** The shape of the answer is in the data of the question; only the run finds out: these alone are 5xx, failed runs and no memory. */
const OVERFLOW = /^the model failed: .*storage size overflowed/;
const NEGATIVE = /^the model failed: .*shape\.Size\(\) must be >= 0/;
const RUN = { http: 500, grpc: 13 } as const;
const MEMORY = { http: 503, grpc: 14 } as const;
const answerOf = (value: bigint, status: NonNullable<BadTensor['status']>, message: RegExp): BadTensor => ({
  row: 'T7',
  name: `an answer of ${value} elements`,
  model: 'big_out',
  input: 'n',
  datatype: 'INT64',
  shape: [1],
  data: `[${value}]`,
  bytes: int64('n', [1], [value]).raw,
  contents: packed(3, [value]),
  status,
  message,
});

const outputs: readonly BadTensor[] = [
  answerOf(p(40), MEMORY, /Failed to allocate memory/),
  answerOf(p(50), MEMORY, /Failed to allocate memory/),
  answerOf(p(62), RUN, OVERFLOW),
  answerOf(p(63) - 1n, RUN, OVERFLOW),
  answerOf(-1n, RUN, NEGATIVE),
  answerOf(-p(63), RUN, NEGATIVE),
  ...[4n, -5n, p(31), p(63) - 1n].map((index): BadTensor => ({
    row: 'T7',
    name: `an index of ${index} into four elements`,
    model: 'fails_at_run',
    datatype: 'INT64',
    shape: [1, 1],
    data: `[${index}]`,
    bytes: int64('n', [1], [index]).raw,
    contents: packed(3, [index]),
    status: RUN,
    message: /^the model failed: .*indices element out of data bounds/,
  })),
];

export const tensorShapeCases: readonly BadCase[] = [...overflows, ...otherTypes, ...disagreements, ...outputs].flatMap(inAllForms);
