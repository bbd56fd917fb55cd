/** Data types that are not the model's, and elements that are not the data type's (T8). */
import { type BadCase } from './bad-case.js';
import { delimited, float32s, number, packed, tag, varint, Wire } from './protobuf-wire.js';
import { inAllForms, type BadTensor } from './tensor-forms.js';

/** Each type with one of the same size, so that only the name is wrong. */
const CONFUSED: readonly (readonly [model: string, datatype: string, bytes: number, data: string])[] = [
  ['fp32', 'INT32', 4, '[1,2]'],
  ['fp32', 'UINT32', 4, '[1,2]'],
  ['fp32', 'FP64', 8, '[1,2]'],
  ['fp32', 'FP16', 2, '[1,2]'],
  ['fp32', 'BYTES', 4, '["",""]'],
  ['fp64', 'INT64', 8, '[1,2]'],
  ['fp16', 'BF16', 2, '[1,2]'],
  ['bf16', 'FP16', 2, '[1,2]'],
  ['int64', 'UINT64', 8, '[1,2]'],
  ['uint64', 'INT64', 8, '[1,2]'],
  ['int32', 'FP32', 4, '[1,2]'],
  ['uint32', 'INT32', 4, '[1,2]'],
  ['int16', 'UINT16', 2, '[1,2]'],
  ['uint16', 'FP16', 2, '[1,2]'],
  ['int8', 'UINT8', 1, '[1,2]'],
  ['uint8', 'BOOL', 1, '[true,false]'],
  ['bool', 'UINT8', 1, '[1,0]'],
  ['string', 'UINT8', 1, '[1,2]'],
];
const confusions: readonly BadTensor[] = CONFUSED.map(([model, datatype, size, data]) => ({
  row: 'T8',
  name: `${datatype} for the model's ${model}`,
  model: `identity_${model}`,
  datatype,
  data,
  bytes: Buffer.alloc(size * 2),
  message: new RegExp(`^inputs\\[0\\]\\.datatype: found ${datatype}, expected [A-Z0-9]+ for input "INPUT0"$`),
}));

const NO_TYPE = /^inputs\[0\]\.datatype: found ".*"(\.\.\.)?, expected BOOL, UINT8, /;
const names: readonly BadTensor[] = [
  ...[
    '',
    'fp32',
    'Fp32',
    ' FP32',
    'FP32 ',
    'FP32\n',
    'FP32\0',
    'FP',
    'FP320',
    'FP8',
    'INT128',
    'INT4',
    'TYPE_FP32',
    'FLOAT',
    'STRING',
    'float32',
    '1',
    '__proto__',
    'ＦＰ３２',
    'F'.repeat(5000),
  ].map((datatype): BadTensor => ({
    row: 'T8',
    name: `a datatype of ${JSON.stringify(datatype.slice(0, 16))}`,
    datatype,
    data: '[1,2]',
    bytes: float32s(1, 2),
    message: NO_TYPE,
  })),
];

const bools: readonly BadTensor[] = [2, 128, 255].map((value) => ({
  row: 'T8',
  name: `a BOOL of ${value}`,
  model: 'identity_bool',
  datatype: 'BOOL',
  bytes: Buffer.from([1, value]),
  message: new RegExp(`^inputs\\[0\\]: found ${value} at element 1, expected 0 or 1 for BOOL$`),
}));

/** JSON elements; the second of two is wrong. */
const ELEMENTS: readonly (readonly [datatype: string, wrong: readonly string[], message: RegExp])[] = [
  ['FP32', ['1e39', '-1e39', '3.5e38', '1e400', '1e999999999'], / is out of range for FP32$/],
  ['FP64', ['1e309', '-1e400', `1${'0'.repeat(400)}`], / is out of range for FP64$/],
  ['FP16', ['65520', '-70000', '1e10'], / is out of range for FP16$/],
  ['BF16', ['3.5e38', '-1e39'], / is out of range for BF16$/],
  ['UINT8', ['256', '-1', '4294967296'], / is out of range for UINT8$/],
  ['INT8', ['128', '-129'], / is out of range for INT8$/],
  ['UINT16', ['65536', '-1'], / is out of range for UINT16$/],
  ['INT16', ['32768', '-32769'], / is out of range for INT16$/],
  ['UINT32', ['4294967296', '-1'], / is out of range for UINT32$/],
  ['INT32', ['2147483648', '-2147483649', '99999999999999999999'], / is out of range for INT32$/],
  ['UINT64', ['18446744073709551616', '-1', '-9223372036854775808'], / is out of range for UINT64$/],
  ['INT64', ['9223372036854775808', '-9223372036854775809', '1'.repeat(100)], / is out of range for INT64$/],
  ['INT32', ['1.5', '1e2', '2.0', '-1E0'], / has a fraction or an exponent, which is not allowed for INT32$/],
  ['INT64', ['9007199254740993.0', '1e18'], / has a fraction or an exponent/],
  ['FP32', ['true', 'null', '"1"', '"NaN"', '{}'], /^inputs\[0\]\.data\[1\]: found .*, expected a number$/],
  ['INT64', ['true', 'null', '"1"', '{}'], /^inputs\[0\]\.data\[1\]: found .*, expected a number$/],
  ['BOOL', ['0', '1', '"true"', 'null', '{}'], /^inputs\[0\]\.data\[1\]: found .*, expected true or false$/],
  ['BYTES', ['0', 'true', 'null', '{}'], /^inputs\[0\]\.data\[1\]: found .*, expected a string$/],
  [
    'FP32',
    ['NaN', 'Infinity', '-Infinity', 'nan', 'inf', '0x1', '01', '1.', '.5', '+1', '1e', '--1', '1_0', "'1'"],
    /^JSON at byte \d+: found |is not a JSON number/,
  ],
  ['BOOL', ['tru', 'True', 'falsey'], /^JSON at byte \d+: found |^inputs\[0\]\.data\[1\]: found /],
  ['BYTES', ['"\\ud800"', '"\\x"', '"\n"', "'a'", '"abc'], /^JSON at byte \d+: found /],
];
const first = (datatype: string): string => (datatype === 'BOOL' ? 'true' : datatype === 'BYTES' ? '""' : '1');
const elements: readonly BadTensor[] = ELEMENTS.flatMap(([datatype, wrong, message]) =>
  wrong.map((element): BadTensor => ({
    row: 'T8',
    name: `${element.slice(0, 24)} as an element of ${datatype}`,
    model: `identity_${datatype === 'BYTES' ? 'string' : datatype.toLowerCase()}`,
    datatype,
    data: `[${first(datatype)},${element}]`,
    message,
  })),
);

const OTHER_FIELD = /^inputs\[0\]\.contents\.[a-z0-9_]+: found elements, expected [a-z0-9_]+, the field of datatype [A-Z0-9]+$/;
const RANGE = /^inputs\[0\]\.contents\.u?int_contents\[1\]: found -?\d+, expected U?INT\d+, -?\d+ to \d+$/;
const RAW_ONLY = /expected (FP16|BF16) data in raw_input_contents, the only form it has$/;
const contents = (name: string, datatype: string, bytes: Buffer, message: RegExp): BadTensor => ({
  row: 'T8',
  name,
  model: `identity_${datatype === 'BYTES' ? 'string' : datatype.toLowerCase()}`,
  datatype,
  contents: bytes,
  message,
});
const typed: readonly BadTensor[] = [
  contents('int_contents for FP32', 'FP32', packed(2, [1, 2]), OTHER_FIELD),
  contents('fp64_contents for FP32', 'FP32', delimited(7, Buffer.alloc(16)), OTHER_FIELD),
  contents('fp32_contents for INT32', 'INT32', delimited(6, float32s(1, 2)), OTHER_FIELD),
  contents('int64_contents for INT32', 'INT32', packed(3, [1, 2]), OTHER_FIELD),
  contents('int_contents for INT64', 'INT64', packed(2, [1, 2]), OTHER_FIELD),
  contents('int_contents for UINT8', 'UINT8', packed(2, [1, 2]), OTHER_FIELD),
  contents('bool_contents for UINT8', 'UINT8', packed(1, [1, 1]), OTHER_FIELD),
  contents('uint_contents for BOOL', 'BOOL', packed(4, [1, 0]), OTHER_FIELD),
  contents('bytes_contents for FP32', 'FP32', delimited(8, float32s(1, 2)), OTHER_FIELD),
  contents('int_contents for BYTES', 'BYTES', packed(2, [1, 2]), OTHER_FIELD),
  contents('the right field and another', 'FP32', Buffer.concat([delimited(6, float32s(1, 2)), packed(2, [1])]), OTHER_FIELD),
  contents('another field of one byte', 'FP32', Buffer.concat([delimited(6, float32s(1, 2)), number(1, 1)]), OTHER_FIELD),
  contents('fp32_contents for FP16', 'FP16', delimited(6, float32s(1, 2)), RAW_ONLY),
  contents('no contents for FP16', 'FP16', Buffer.alloc(0), RAW_ONLY),
  contents('fp32_contents for BF16', 'BF16', delimited(6, float32s(1, 2)), RAW_ONLY),
  contents('128 for INT8', 'INT8', packed(2, [1, 128]), RANGE),
  contents('-129 for INT8', 'INT8', packed(2, [1, -129]), RANGE),
  contents('40000 for INT16', 'INT16', packed(2, [1, 40_000]), RANGE),
  contents('2^31 for INT32', 'INT32', packed(2, [1, 2 ** 31]), RANGE),
  contents('256 for UINT8', 'UINT8', packed(4, [1, 256]), RANGE),
  contents('65536 for UINT16', 'UINT16', packed(4, [1, 65_536]), RANGE),
  contents('2^32 for UINT32', 'UINT32', packed(4, [1, 2 ** 32]), RANGE),
  contents(
    'packed floats cut in an element',
    'FP32',
    delimited(6, Buffer.alloc(7)),
    /^inputs\[0\]\.contents\.fp32_contents: found 7 packed bytes at byte \d+, expected a multiple of 4$/,
  ),
  contents(
    'packed doubles cut in an element',
    'FP64',
    delimited(7, Buffer.alloc(12)),
    /found 12 packed bytes at byte \d+, expected a multiple of 8$/,
  ),
  contents(
    'a packed varint cut off',
    'INT64',
    delimited(3, Buffer.from([1, 0x80])),
    /^inputs\[0\]\.contents\.int64_contents: found (a varint cut off|1 elements)/,
  ),
  contents(
    'a packed varint of 11 bytes',
    'INT64',
    delimited(3, Buffer.from([1]), Buffer.alloc(10, 0x80), Buffer.from([1])),
    /found a varint longer than 10 bytes/,
  ),
  contents(
    'floats as varints',
    'FP32',
    number(6, 1),
    /^inputs\[0\]\.contents\.fp32_contents: found a varint at byte \d+, expected a 32-bit value$/,
  ),
  contents('strings as varints', 'BYTES', number(8, 1), /expected a length-delimited value$/),
  contents('integers as 32-bit values', 'INT32', Buffer.concat([tag(2, Wire.fixed32), Buffer.alloc(4)]), /expected a varint$/),
  contents(
    'a length far over the end',
    'BYTES',
    Buffer.concat([tag(8, Wire.delimited), varint(2n ** 63n - 1n)]),
    /found 0 bytes left at byte \d+, expected 9223372036854775807 bytes$/,
  ),
];

export const tensorTypeCases: readonly BadCase[] = [...confusions, ...names, ...bools, ...elements, ...typed].flatMap(inAllForms);
