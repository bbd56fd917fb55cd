/** Protobufs that are none, or that mean nothing (G4), over ModelInfer and the calls that only tell; parameters over gRPC (T2, N1). */
import { status } from '@grpc/grpc-js';
import { type BadCase, type Bytes, type Row } from './bad-case.js';
import { delimited, Field, frame, grpcInput, grpcRequest, number, tag, varint, Wire } from './protobuf-wire.js';

const SERVICE = '/inference.GRPCInferenceService/';

const infer = (
  row: Row,
  name: string,
  message: Buffer | (() => Buffer),
  expected: RegExp,
  code: number = status.INVALID_ARGUMENT,
  heavy?: string,
): BadCase => ({
  row,
  name: `ModelInfer: ${name}`,
  send: { via: 'grpc', body: typeof message === 'function' ? (): Buffer => frame(message()) : frame(message) },
  status: code,
  message: expected,
  ...(heavy === undefined ? {} : { heavy }),
});

const good = grpcRequest({});
const parameter = (name: string, ...value: Buffer[]): Buffer => delimited(Field.parameters, delimited(1, name), delimited(2, ...value));
const nested = (depth: number): Buffer => {
  let message: Buffer = Buffer.alloc(0);
  for (let level = 0; level < depth; level += 1) message = delimited(15, message);
  return message;
};

const TAG = / expected the tag of a field$/;
const LEFT = /: found \d+ bytes left at byte \d+, expected \d+ bytes$/;
const CUT = /: found a varint cut off at byte \d+, expected a varint of at most 64 bits$/;
const LONG = /: found a varint longer than 10 bytes or over 64 bits at byte \d+, expected a varint of at most 64 bits$/;
const UTF8 = /: found ".*"(\.\.\.)? at byte \d+, expected UTF-8 text$/;
const SMALL_MODEL = grpcRequest({ inputs: [], raw: [] });

const malformed: readonly BadCase[] = (
  [
    ['an empty message', Buffer.alloc(0), /^model_name: found "" \(0 bytes\), expected 1 to 1024 bytes$/],
    ['no inputs', SMALL_MODEL, /^inputs: missing input "INPUT0"/],
    ['one zero byte', Buffer.from([0]), TAG],
    ['a tag cut off', Buffer.from([0x80]), CUT],
    ['a tag of 11 bytes', Buffer.concat([Buffer.alloc(10, 0x80), Buffer.from([1])]), LONG],
    ['a tag over 64 bits', Buffer.concat([Buffer.alloc(9, 0xff), Buffer.from([2])]), LONG],
    ['field number 0', Buffer.concat([tag(0, Wire.varint), varint(1)]), TAG],
    ['field number 2^29', Buffer.concat([tag(2 ** 29, Wire.varint), varint(1)]), TAG],
    ['field number 2^60', Buffer.concat([tag(2n ** 60n, Wire.varint), varint(1)]), TAG],
    ['wire type 6', Buffer.concat([good, tag(9, 6)]), TAG],
    ['wire type 7', Buffer.concat([good, tag(9, 7)]), TAG],
    ['a group', Buffer.concat([good, tag(9, Wire.groupStart), tag(9, Wire.groupEnd)]), TAG],
    ['the end of a group that never began', Buffer.concat([good, tag(9, Wire.groupEnd)]), TAG],
    ['10000 groups within each other', Buffer.concat([good, ...Array<Buffer>(10_000).fill(tag(9, Wire.groupStart))]), TAG],
    ['a length one over the end', good.subarray(0, -1), LEFT],
    ['a length of 2^31', Buffer.concat([tag(1, Wire.delimited), varint(2 ** 31)]), LEFT],
    ['a length of 2^63', Buffer.concat([tag(1, Wire.delimited), varint(2n ** 63n)]), LEFT],
    ['a length of 2^64 - 1', Buffer.concat([tag(7, Wire.delimited), varint(2n ** 64n - 1n)]), LEFT],
    ['a length cut off', Buffer.concat([tag(1, Wire.delimited), Buffer.from([0xff])]), CUT],
    ['a length of 11 bytes', Buffer.concat([tag(1, Wire.delimited), Buffer.alloc(11, 0xff)]), LONG],
    ['an unknown field over the end', Buffer.concat([good, tag(100, Wire.delimited), varint(5)]), LEFT],
    ['an unknown 64-bit field over the end', Buffer.concat([good, tag(100, Wire.fixed64), Buffer.alloc(7)]), LEFT],
    ['an unknown 32-bit field over the end', Buffer.concat([good, tag(100, Wire.fixed32), Buffer.alloc(3)]), LEFT],
    ['an unknown varint cut off', Buffer.concat([good, tag(100, Wire.varint), Buffer.alloc(5, 0x80)]), CUT],
    [
      'a model name that is a number',
      Buffer.concat([number(1, 5), good]),
      /^model_name: found a varint at byte \d+, expected a length-delimited value$/,
    ],
    ['a version that is a number', Buffer.concat([good, number(2, 1)]), /^model_version: found a varint/],
    ['an id that is a 64-bit value', Buffer.concat([good, tag(3, Wire.fixed64), Buffer.alloc(8)]), /^id: found a 64-bit value/],
    ['inputs that are numbers', Buffer.concat([good, number(5, 1)]), /^inputs: found a varint/],
    ['outputs that are numbers', Buffer.concat([good, number(6, 1)]), /^outputs: found a varint/],
    ['raw contents that are numbers', Buffer.concat([good, number(7, 1)]), /^raw_input_contents\[1\]: found a varint/],
    ['parameters that are numbers', Buffer.concat([good, number(4, 1)]), /^parameters: found a varint/],
    ['a model name that is no UTF-8', grpcRequest({ model: '', more: [delimited(1, Buffer.from([0xff, 0xfe]))] }), UTF8],
    ['an id that is no UTF-8', grpcRequest({ more: [delimited(3, Buffer.from([0xc0, 0xaf]))] }), UTF8],
    [
      'an input name that is no UTF-8',
      grpcRequest({ inputs: [grpcInput({ more: [delimited(1, Buffer.from([0xed, 0xa0, 0x80]))] })] }),
      UTF8,
    ],
    ['an output name that is no UTF-8', grpcRequest({ more: [delimited(6, delimited(1, Buffer.from([0x80])))] }), UTF8],
    [
      'a datatype that is no UTF-8',
      grpcRequest({ inputs: [grpcInput({ more: [delimited(2, Buffer.from([0xf4, 0x90, 0x80, 0x80]))] })] }),
      UTF8,
    ],
    [
      'a shape that is a string',
      grpcRequest({ inputs: [grpcInput({ shape: [], more: [delimited(3, 'ab\xff')] })] }),
      /^inputs\[0\]\.shape: found a varint cut off|^inputs\[0\]\.shape: found \[97,98,/,
    ],
    [
      'a shape of floats',
      grpcRequest({ inputs: [grpcInput({ shape: [], more: [tag(3, Wire.fixed32), Buffer.alloc(4)] })] }),
      /^inputs\[0\]\.shape: found a 32-bit value/,
    ],
    ['a packed dim cut off', grpcRequest({ inputs: [grpcInput({ shape: [], more: [delimited(3, Buffer.from([1, 0x82]))] })] }), CUT],
    [
      'a packed dim of 11 bytes',
      grpcRequest({ inputs: [grpcInput({ shape: [], more: [delimited(3, Buffer.alloc(10, 0x80), Buffer.from([1]))] })] }),
      LONG,
    ],
    [
      'dims packed and not, three in all',
      grpcRequest({ inputs: [grpcInput({ shape: [1, 1], more: [number(3, 2)] })] }),
      /^inputs\[0\]\.shape: found \[1,1,2\], expected \[-1,-1\]/,
    ],
    ['an input cut within', grpcRequest({ inputs: [delimited(Field.inputs, Buffer.from([0x0a, 0x20]), Buffer.from('INPUT0'))] }), LEFT],
    ['an input of zero bytes', grpcRequest({ inputs: [delimited(Field.inputs, Buffer.alloc(16))] }), TAG],
    ['an empty input', grpcRequest({ inputs: [delimited(Field.inputs)] }), /^inputs\[0\]\.name: found ""/],
    ['an empty output', grpcRequest({ more: [delimited(Field.outputs)] }), /^outputs\[0\]\.name: found ""/],
    [
      'an id of 5000 bytes',
      grpcRequest({ more: [delimited(Field.id, 'i'.repeat(5000))] }),
      /^id: found 5000 bytes, expected at most 1024$/,
    ],
    ['a model name of 5000 bytes', grpcRequest({ model: 'm'.repeat(5000) }), /^model_name: found "m+"\.\.\. \(5000 bytes\)/],
    [
      'an input name of 5000 bytes',
      grpcRequest({ inputs: [grpcInput({ name: 'n'.repeat(5000) })] }),
      /^inputs\[0\]\.name: found "n+"\.\.\. \(5000 bytes\)/,
    ],
    [
      'a version of 5000 bytes',
      grpcRequest({ more: [delimited(Field.modelVersion, '1'.repeat(5000))] }),
      /^model_version: found 5000 bytes/,
    ],
    ['a version that is no number', grpcRequest({ more: [delimited(Field.modelVersion, 'latest')] }), /^model_version: found "latest"/],
    ['a negative version', grpcRequest({ more: [delimited(Field.modelVersion, '-1')] }), /^model_version: found "-1"/],
    ['a version with a fraction', grpcRequest({ more: [delimited(Field.modelVersion, '1.0')] }), /^model_version: found "1\.0"/],
    [
      'a version of 2^64',
      grpcRequest({ more: [delimited(Field.modelVersion, '18446744073709551616')] }),
      /^model_version: found "18446744073709551616"/,
    ],
    ['1000 messages within each other', Buffer.concat([nested(1000), number(5, 1)]), /^inputs: found a varint/],
    ['noise', Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 167 + 13) % 256)), /^[\w[\]. ()]+: found /],
    ['JSON', Buffer.from('{"inputs":[]}'), /: found /],
  ] as const
).map(([name, message, expected]) => infer('G4', name, message, expected));

const large: readonly BadCase[] = [
  infer(
    'G4',
    'a map of a hundred thousand keys',
    () => Buffer.concat([good, ...Array.from({ length: 100_000 }, (_, i) => parameter(`k${i}`, number(2, i)))]),
    /^parameters: found more than 1024 entries, expected at most 1024$/,
    undefined,
    'megabytes',
  ),
  infer(
    'G4',
    'a parameter 5000 times',
    Buffer.concat([good, ...Array<Buffer>(5000).fill(parameter('k', number(2, 1)))]),
    /^parameters: found more than 1024 entries/,
  ),
  infer(
    'G4',
    '2000 parameters of an input',
    grpcRequest({
      inputs: [
        grpcInput({ more: Array.from({ length: 2000 }, (_, i) => delimited(4, delimited(1, `k${i}`), delimited(2, number(2, i)))) }),
      ],
    }),
    /^inputs\[0\]\.parameters: found more than 1024 entries/,
  ),
  infer(
    'G4',
    '8 MiB of unknown fields and an unknown model',
    () => Buffer.concat([delimited(100, Buffer.alloc(8 * 1024 * 1024)), grpcRequest({ model: 'nobody' })]),
    /^Request for unknown model: 'nobody'/,
    status.NOT_FOUND,
    '8 MiB',
  ),
  infer(
    'G4',
    'a million dims',
    () => grpcRequest({ inputs: [grpcInput({ shape: [], more: [delimited(Field.shape, Buffer.alloc(1_000_000, 1))] })] }),
    /^inputs\[0\]\.shape: found more than 32 dims/,
    undefined,
    'a megabyte',
  ),
];

const unknownModels: readonly BadCase[] = [
  'nobody',
  '../add_sub',
  'add_sub/1',
  '.',
  'add_sub\0',
  '\u001b[31m',
  'x;id',
  '%2e%2e',
  '__proto__',
  'constructor',
].map((model) =>
  infer(
    model.startsWith('__') || model === 'constructor' ? 'N1' : 'G4',
    `a model named ${JSON.stringify(model)}`,
    grpcRequest({ model }),
    /^Request for unknown model: '.*' is not found$/s,
    status.NOT_FOUND,
  ),
);

/** InferParameter: bool 1, int64 2, string 3, double 4, uint64 5. */
const bool = number(1, 1);
const int = (value: bigint | number): Buffer => number(2, value);
const text = (value: string): Buffer => delimited(3, value);
const double = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(4, Wire.fixed64), bytes]);
};
const withParameter = (row: Row, name: string, value: Buffer[], expected: RegExp, code?: number): BadCase =>
  infer(row, `the parameter ${name}`, grpcRequest({ more: [parameter(name.split(' ')[0] ?? '', ...value)] }), expected, code);

const NOT_YET = / not supported( yet)?$/;
const parameters: readonly BadCase[] = [
  withParameter('T2', 'timeout of -1', [int(-1)], /^parameters\.timeout: found -1, expected a whole number/),
  withParameter('T2', 'timeout of a string', [text('5')], /^parameters\.timeout: found "5"/),
  withParameter('T2', 'timeout of 1.5', [double(1.5)], /^parameters\.timeout: found 1\.5/),
  withParameter('T2', 'timeout of true', [bool], /^parameters\.timeout: found true/),
  withParameter('T2', 'timeout of NaN', [double(NaN)], /^parameters\.timeout: found -?nan/),
  withParameter('T2', 'priority of -2^63', [int(-(2n ** 63n))], /^parameters\.priority: found -9223372036854775808/),
  withParameter('T2', 'priority of a string', [text('high')], /^parameters\.priority: found "high"/),
  withParameter('T2', 'priority of infinity', [double(Infinity)], /^parameters\.priority: found inf/),
  withParameter('T2', 'sequence_id of -1', [int(-1)], /^parameters\.sequence_id: found -1/),
  withParameter('T2', 'sequence_id of true', [bool], /^parameters\.sequence_id: found true/),
  withParameter('T2', 'sequence_id of 2^63', [number(5, 2n ** 63n)], NOT_YET, status.UNIMPLEMENTED),
  withParameter('T2', 'sequence_start of 1', [int(1)], /^parameters\.sequence_start: found 1, expected true or false$/),
  withParameter('T2', 'sequence_start of true', [bool], NOT_YET, status.UNIMPLEMENTED),
  withParameter('T2', 'timeout without a value', [], /^parameters\.timeout: found no value, expected one of bool_param/),
  withParameter('T2', 'timeout of an unknown kind', [number(9, 1)], /^parameters\.timeout: found no value/),
  withParameter('T2', 'timeout of two kinds, the last one wrong', [int(5), text('x')], /^parameters\.timeout: found "x"/),
  withParameter(
    'T2',
    'timeout of the wrong wire type',
    [Buffer.concat([tag(2, Wire.fixed64), Buffer.alloc(8)])],
    /^parameters\.timeout\.int64_param: found a 64-bit value|int64_param: found a 64-bit value/,
  ),
  withParameter('T2', 'custom of a string that is no UTF-8', [delimited(3, Buffer.from([0xff]))], UTF8),
  withParameter('H10', 'headers is reserved', [text('x')], /^parameters\.headers: this name is reserved$/),
  withParameter('H10', 'triton_x is reserved', [text('x')], /reserved$/),
  withParameter(
    'H10',
    'triton_enable_empty_final_response as a number',
    [int(1)],
    /^parameters\.triton_enable_empty_final_response: found another type, expected bool_param$/,
  ),
  infer('H10', 'a parameter without a name', grpcRequest({ more: [delimited(4, delimited(2, int(1)))] }), /^parameters.*: found ""/),
  infer(
    'T2',
    'shared memory of an input',
    grpcRequest({ inputs: [grpcInput({ more: [delimited(4, delimited(1, 'shared_memory_region'), delimited(2, text('r')))] })] }),
    NOT_YET,
    status.UNIMPLEMENTED,
  ),
  infer(
    'T2',
    'classification of an output',
    grpcRequest({
      more: [delimited(6, delimited(1, 'OUTPUT0'), delimited(2, delimited(1, 'classification'), delimited(2, int(2n ** 32n - 1n))))],
    }),
    NOT_YET,
    status.UNIMPLEMENTED,
  ),
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty'].flatMap((name) => [
    infer(
      'N1',
      `a parameter ${name} without a value`,
      grpcRequest({ more: [parameter(name)] }),
      new RegExp(`^parameters\\.${name}: found no value`),
    ),
    infer(
      'N1',
      `an input named ${name}`,
      grpcRequest({ inputs: [grpcInput({ name })] }),
      new RegExp(`^inputs\\[0\\]\\.name: found "${name}"`),
    ),
  ]),
];

const call = (
  method: string,
  name: string,
  body: Bytes,
  expected: RegExp,
  code: number = status.INVALID_ARGUMENT,
  service = SERVICE,
): BadCase => ({
  row: 'G4',
  name: `${method}: ${name}`,
  send: { via: 'grpc', path: `${service}${method}`, body },
  status: code,
  message: expected,
});

const INVALID_MESSAGE = /^the message is not a valid protobuf of its type$/;
const groups = Buffer.concat(Array<Buffer>(50_000).fill(tag(9, Wire.groupStart)));
const told = ['ModelReady', 'ModelMetadata', 'ModelConfig', 'ModelStatistics'];
const others: readonly BadCase[] = [
  ...told.flatMap((method) => [
    call(method, 'a name over the end', frame(Buffer.from([0x0a, 0x7f, 0x61])), INVALID_MESSAGE),
    call(method, 'an unknown model', frame(delimited(1, 'nobody')), /^Request for unknown model: 'nobody'/, status.NOT_FOUND),
    call(method, 'a model named __proto__', frame(delimited(1, '__proto__')), /^Request for unknown model: '__proto__'/, status.NOT_FOUND),
    call(
      method,
      'a version that is no number',
      frame(Buffer.concat([delimited(1, 'add_sub'), delimited(2, 'x')])),
      /^model_version: found "x"/,
    ),
  ]),
  ...['ModelMetadata', 'ServerMetadata', 'ServerLive', 'ServerReady'].flatMap((method) => [
    call(method, 'a tag cut off', frame(Buffer.from([0xff])), INVALID_MESSAGE),
    call(method, 'wire type 7', frame(tag(9, 7)), INVALID_MESSAGE),
    call(method, '50000 groups within each other', frame(groups), INVALID_MESSAGE),
  ]),
  call('ModelMetadata', 'a name that is a number', frame(number(1, 5)), INVALID_MESSAGE),
  ...[
    'RepositoryIndex',
    'RepositoryModelLoad',
    'RepositoryModelUnload',
    'SystemSharedMemoryRegister',
    'SystemSharedMemoryUnregister',
    'CudaSharedMemoryRegister',
    'TraceSetting',
    'LogSettings',
  ].map((method) =>
    call(method, 'not offered', frame(Buffer.alloc(0)), new RegExp(`^${method} is not offered by this server$`), status.UNIMPLEMENTED),
  ),
  call(
    'RepositoryModelLoad',
    'a malformed message',
    frame(Buffer.from([0xff])),
    /^(RepositoryModelLoad is not offered|the message is not a valid)/,
    status.INVALID_ARGUMENT,
  ),
  call('Nothing', 'a method that does not exist', frame(Buffer.alloc(0)), /does not implement the method/, status.UNIMPLEMENTED),
  call(
    'ModelInfer',
    'a service that does not exist',
    frame(good),
    /does not implement the method/,
    status.UNIMPLEMENTED,
    '/nobody.Service/',
  ),
  call(
    'ModelInfer',
    'a service in another case',
    frame(good),
    /does not implement the method/,
    status.UNIMPLEMENTED,
    '/inference.grpcinferenceservice/',
  ),
  call(
    'Check',
    'an unknown service',
    frame(delimited(1, 'nobody')),
    /^unknown service 'nobody'$/,
    status.NOT_FOUND,
    '/grpc.health.v1.Health/',
  ),
  // grpc-js decodes this one, and answers what gRPC has for a request that cannot be parsed.
  call('Check', 'a tag cut off', frame(Buffer.from([0xff])), /^Error deserializing request/, status.INTERNAL, '/grpc.health.v1.Health/'),
];

export const grpcMessageCases: readonly BadCase[] = [...malformed, ...large, ...unknownModels, ...parameters, ...others];
