/** Bytes that disagree with shapes (T3), framing of BYTES (T4), and data that grows when it is decoded (H9). */
import { bytes as bytesTensor } from '../../support/tensors.js';
import { inferPath, INVALID, SMALL_LIMIT, type BadCase, type Row } from './bad-case.js';
import { delimited, Field, float32s, frame, grpcInput, grpcRequest, packed } from './protobuf-wire.js';
import { inAllForms, type BadTensor } from './tensor-forms.js';

const sizes: readonly BadTensor[] = [
  ...[0, 1, 4, 7, 9, 12, 800].map((size): BadTensor => ({
    row: 'T3',
    name: `${size} bytes for 8`,
    bytes: Buffer.alloc(size),
    message: new RegExp(`^inputs\\[0\\]: found ${size} bytes, expected 8 for shape \\[1,2\\] FP32$`),
  })),
  ...['[]', '[1]', '[1,2,3]', '[[1,2],[3]]', `[${'1,'.repeat(999)}1]`].map((data): BadTensor => ({
    row: 'T3',
    name: `elements ${data.slice(0, 16)} for 2`,
    data,
    contents: delimited(6, float32s(...Array<number>(data.split(/\d/).length - 1).fill(1))),
    message: {
      json: /^inputs\[0\]\.data: found \d+ elements, expected 2, the product of the shape$/,
      contents: /^inputs\[0\]\.contents\.fp32_contents: found \d+ elements, expected 2 by the shape$/,
    },
  })),
  {
    row: 'T3',
    name: 'no contents at all',
    contents: Buffer.alloc(0),
    message: /^inputs\[0\]\.contents\.fp32_contents: found 0 elements, expected 2/,
  },
];

const prefix = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(length);
  return bytes;
};
const one = bytesTensor('', [1], ['abc']).raw;
const strings = (name: string, bytes: Buffer, message: RegExp, shape: readonly number[] = [1, 2]): BadTensor => ({
  row: 'T4',
  name: `strings: ${name}`,
  model: 'identity_string',
  datatype: 'BYTES',
  shape,
  bytes,
  message,
});

const CUT = /^inputs\[0\]: found [0-3] bytes, expected the 4-byte length of element [01] of 2$/;
const framing: readonly BadTensor[] = [
  strings('no bytes', Buffer.alloc(0), CUT),
  ...[1, 2, 3].map((cut) => strings(`a length cut after ${cut} bytes`, Buffer.concat([one, Buffer.alloc(cut)]), CUT)),
  strings('one for two', one, CUT),
  strings('three for two', Buffer.concat([one, one, one]), /^inputs\[0\]: found 7 bytes after the last of 2 elements$/),
  strings(
    'a byte behind the last',
    Buffer.concat([one, one, Buffer.alloc(1)]),
    /^inputs\[0\]: found 1 bytes after the last of 2 elements$/,
  ),
  strings(
    'a length of one too many',
    Buffer.concat([one, prefix(4), Buffer.from('abc')]),
    /^inputs\[0\]: found 3 bytes, expected 4 for element 1 of 2$/,
  ),
  strings(
    'a length of 2^31',
    Buffer.concat([one, prefix(2 ** 31), Buffer.from('abc')]),
    /^inputs\[0\]: found 3 bytes, expected 2147483648 for element 1/,
  ),
  strings(
    'a length of 2^32 - 1',
    Buffer.concat([prefix(2 ** 32 - 1), one]),
    /^inputs\[0\]: found 7 bytes, expected 4294967295 for element 0/,
  ),
  strings('a length of 2^32 - 4, which wraps to the start', Buffer.concat([prefix(2 ** 32 - 4), one]), /expected 4294967292 for element 0/),
  strings(
    'lengths in the other byte order',
    Buffer.from('00000003616263', 'hex'),
    /^inputs\[0\]: found 3 bytes, expected 50331648 for element 0/,
  ),
  strings('no length in front', Buffer.from('abcdefgh'), /^inputs\[0\]: found 4 bytes, expected 1684234849 for element 0/),
  {
    ...strings('two rows for one', Buffer.concat([one, one]), /found 7 bytes after the last of 1 elements$/, [1, 1]),
    model: 'echo_text',
    input: 'text',
  },
  {
    ...strings('a count of strings', one, /./, [1, 2]),
    data: '["abc"]',
    contents: delimited(8, 'abc'),
    message: { json: /found 1 elements, expected 2/, contents: /^inputs\[0\]\.contents\.bytes_contents: found 1 elements, expected 2/ },
  },
];

/** Requests of the identity model whose binary sizes and bodies disagree. */
const binary = (row: Row, name: string, parts: readonly number[], body: number, message: RegExp): BadCase => {
  const inputs = parts.map(
    (size, index) => `{"name":"INPUT${index}","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":${size}}}`,
  );
  const json = `{"inputs":[${inputs.join(',')}]}`;
  return {
    row,
    name: `binary: ${name}`,
    send: {
      via: 'http',
      path: inferPath('two_in_one_out'),
      headers: [['Inference-Header-Content-Length', String(json.length)]],
      body: Buffer.concat([Buffer.from(json), Buffer.alloc(body)]),
    },
    status: 400,
    message,
  };
};

const LEFT = /^inputs\[[01]\]\.parameters\.binary_data_size: found \d+, expected at most \d+, the bytes left in the body/;
const BEHIND = /^the body: found \d+ bytes after the last binary input, expected none$/;
const bodies: readonly BadCase[] = [
  binary('T3', 'no tail', [8, 8], 0, LEFT),
  binary('T3', 'half a tail', [8, 8], 8, LEFT),
  binary('T3', 'a tail one byte short', [8, 8], 15, LEFT),
  binary('T3', 'a tail one byte too long', [8, 8], 17, BEHIND),
  binary('T3', 'a tail of sizes of 0', [0, 0], 16, BEHIND),
  binary('T3', 'a size larger than the body', [1_000_000, 8], 16, LEFT),
  binary('T3', 'a size of 2^53 - 1', [Number.MAX_SAFE_INTEGER, 8], 16, LEFT),
  binary('T3', 'sizes that add up but are cut elsewhere', [4, 12], 16, /^inputs\[0\]: found 4 bytes, expected 8/),
  binary('T3', 'the tail of one input for two', [16, 0], 16, /^inputs\[0\]: found 16 bytes, expected 8/),
  ...['18446744073709551615', '18446744073709551608', '9223372036854775807', '4294967304'].map((size): BadCase => {
    const json = `{"inputs":[{"name":"INPUT0","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}},{"name":"INPUT1","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":${size}}}]}`;
    return {
      ...binary('T3', `a second size of ${size}`, [8, 8], 16, LEFT),
      send: {
        via: 'http',
        path: inferPath('two_in_one_out'),
        headers: [['Inference-Header-Content-Length', String(json.length)]],
        body: `${json}${'\0'.repeat(16)}`,
      },
    };
  }),
];

const grpc = (row: Row, name: string, message: Buffer, expected: RegExp, small = false): BadCase => ({
  row,
  name: `gRPC: ${name}`,
  send: { via: 'grpc', body: frame(message) },
  status: INVALID.grpc,
  message: expected,
  ...(small ? { small, heavy: 'a megabyte' } : {}),
});
const eight = float32s(1, 2);
const withContents = grpcInput({ more: [delimited(Field.contents, delimited(6, eight))] });
const raws: readonly BadCase[] = [
  grpc(
    'T3',
    'raw and typed contents both',
    grpcRequest({ inputs: [withContents] }),
    /^inputs\[0\]\.contents\.fp32_contents: found elements, expected none, because the request has raw_input_contents$/,
  ),
  grpc(
    'T3',
    'two raw entries for one input',
    grpcRequest({ raw: [eight, eight] }),
    /^raw_input_contents: found 2 entries, expected 1, one for each input$/,
  ),
  grpc(
    'T3',
    'one raw entry for two inputs',
    grpcRequest({ model: 'two_in_one_out', inputs: [grpcInput(), grpcInput({ name: 'INPUT1' })] }),
    /^raw_input_contents: found 1 entries, expected 2/,
  ),
  grpc('T3', 'a raw entry and no input', grpcRequest({ inputs: [] }), /^raw_input_contents: found 1 entries, expected 0/),
  grpc(
    'T3',
    'no raw entry and no contents',
    grpcRequest({ raw: [] }),
    /^inputs\[0\]\.contents\.fp32_contents: found 0 elements, expected 2/,
  ),
  grpc(
    'T3',
    'contents of one input, raw of another',
    grpcRequest({ model: 'two_in_one_out', inputs: [withContents, grpcInput({ name: 'INPUT1' })] }),
    /^raw_input_contents: found 1 entries, expected 2/,
  ),
  grpc(
    'T3',
    '2000 raw entries',
    grpcRequest({ raw: Array<Buffer>(2000).fill(eight) }),
    /^raw_input_contents: found more than 1024 tensors/,
  ),
  grpc(
    'H10',
    'the same input twice',
    grpcRequest({ inputs: [grpcInput(), grpcInput()], raw: [eight, eight] }),
    /^inputs: the name "INPUT0" appears twice$/,
  ),
  grpc(
    'H10',
    'the same output twice',
    grpcRequest({ more: [delimited(Field.outputs, delimited(1, 'OUTPUT0')), delimited(Field.outputs, delimited(1, 'OUTPUT0'))] }),
    /^outputs: the name "OUTPUT0" appears twice$/,
  ),
  grpc('H10', 'an unknown input', grpcRequest({ inputs: [grpcInput({ name: 'nothing' })] }), /^inputs\[0\]\.name: found "nothing"/),
  grpc(
    'H10',
    'an unknown output',
    grpcRequest({ more: [delimited(Field.outputs, delimited(1, 'nothing'))] }),
    /^outputs\[0\]\.name: found "nothing"/,
  ),
  grpc('H10', 'an input too few', grpcRequest({ model: 'two_in_one_out' }), /^inputs: missing input "INPUT1"/),
  grpc(
    'H10',
    '5000 inputs',
    grpcRequest({ inputs: Array.from({ length: 5000 }, (_, i) => grpcInput({ name: `i${i}` })), raw: [] }),
    /^inputs: found more than 1024 tensors/,
  ),
  grpc(
    'H10',
    '5000 outputs',
    grpcRequest({ more: Array.from({ length: 5000 }, (_, i) => delimited(Field.outputs, delimited(1, `o${i}`))) }),
    /^outputs: found more than 1024 tensors/,
  ),
];

const TOO_LARGE = new RegExp(`at most ${SMALL_LIMIT}`);
const grows = (name: string, datatype: string, element: string, count: number): BadCase => ({
  row: 'H9',
  name: `JSON: ${name}`,
  send: {
    via: 'http',
    path: inferPath(`identity_${datatype === 'BYTES' ? 'string' : datatype.toLowerCase()}`),
    body: () =>
      Buffer.from(
        `{"inputs":[{"name":"INPUT0","shape":[1,${count}],"datatype":"${datatype}","data":[${`${element},`.repeat(count - 1)}${element}]}]}`,
      ),
  },
  status: 400,
  message: TOO_LARGE,
  small: true,
  heavy: 'a megabyte',
});
const HALF = 450_000;
const growth: readonly BadCase[] = [
  grows('2 bytes of text for 8 of FP64', 'FP64', '0', HALF),
  grows('2 bytes of text for 8 of INT64', 'INT64', '0', HALF),
  grows('2 bytes of text for 4 of FP32', 'FP32', '0', HALF),
  grows('3 bytes of text for 4 of an empty string', 'BYTES', '""', 330_000),
  grpc(
    'H9',
    'a byte for 8 of INT64',
    grpcRequest({
      model: 'identity_int64',
      inputs: [grpcInput({ datatype: 'INT64', shape: [1, HALF], more: [delimited(Field.contents, delimited(3, Buffer.alloc(HALF)))] })],
      raw: [],
    }),
    TOO_LARGE,
    true,
  ),
  grpc(
    'H9',
    'a byte for 4 of UINT32',
    grpcRequest({
      model: 'identity_uint32',
      inputs: [grpcInput({ datatype: 'UINT32', shape: [1, HALF], more: [delimited(Field.contents, delimited(4, Buffer.alloc(HALF)))] })],
      raw: [],
    }),
    TOO_LARGE,
    true,
  ),
  grpc(
    'H9',
    '2 bytes for 4 of an empty string',
    grpcRequest({
      model: 'identity_string',
      inputs: [
        grpcInput({
          datatype: 'BYTES',
          shape: [1, HALF],
          more: [delimited(Field.contents, Buffer.alloc(HALF * 2, Buffer.from([0x42, 0])))],
        }),
      ],
      raw: [],
    }),
    TOO_LARGE,
    true,
  ),
  grpc(
    'H9',
    'INT8 declared FP32',
    grpcRequest({ inputs: [grpcInput({ shape: [1, HALF] })], raw: [Buffer.alloc(HALF)] }),
    /^inputs\[0\]: found 450000 bytes, expected 1800000/,
    true,
  ),
  grpc(
    'H9',
    'INT64 of one byte declared with 2^40 elements',
    grpcRequest({
      model: 'identity_int64',
      inputs: [grpcInput({ datatype: 'INT64', shape: [1, 2 ** 40], more: [delimited(Field.contents, packed(3, [0]))] })],
      raw: [],
    }),
    /^inputs\[0\]: found 1099511627776 elements of INT64, expected at most 67108864 bytes$/,
  ),
];

export const tensorSizeCases: readonly BadCase[] = [...[...sizes, ...framing].flatMap(inAllForms), ...bodies, ...raws, ...growth];
