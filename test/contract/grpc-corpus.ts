/** Calls that gRPC clients may make, well-formed and not: for comparing the answers of front ends. */
import { deflateSync, gzipSync } from 'node:zlib';
import { rpc, type GrpcInferRequest } from '../support/clients.js';
import { frame, type RawCall } from '../support/raw-grpc.js';
import { slowInputs } from '../support/slow-model.js';
import { fp32, int32, int64, type TestTensor } from '../support/tensors.js';

export interface CorpusCall extends RawCall {
  readonly title: string;
  /** The answer has counters and times in it: only its fields are the same. */
  readonly dataVaries?: boolean;
}

/** Servers must be started with this limit. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

const SERVICE = 'inference.GRPCInferenceService';
const HEALTH = 'grpc.health.v1.Health';
const REFLECTION = 'grpc.reflection.v1.ServerReflection';
const INFER = `/${SERVICE}/ModelInfer`;
const METHODS = [
  'ServerLive', 'ServerReady', 'ModelReady', 'ServerMetadata', 'ModelMetadata', 'ModelInfer', 'ModelStreamInfer', 'ModelConfig', 'ModelStatistics',
  'RepositoryIndex', 'RepositoryModelLoad', 'RepositoryModelUnload', 'SystemSharedMemoryStatus', 'SystemSharedMemoryRegister',
  'SystemSharedMemoryUnregister', 'CudaSharedMemoryStatus', 'CudaSharedMemoryRegister', 'CudaSharedMemoryUnregister', 'TraceSetting', 'LogSettings',
]; // prettier-ignore

const row = Array.from({ length: 16 }, (_, i) => i);
const INPUTS = [int32('INPUT0', [1, 16], row), int32('INPUT1', [1, 16], row)];

function inferMessage(model: string, inputs: readonly TestTensor[], more: GrpcInferRequest = {}): Buffer {
  return rpc('ModelInfer').requestSerialize({
    model_name: model,
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: [...shape] })),
    raw_input_contents: inputs.map(({ raw }) => raw),
    ...more,
  });
}

const MESSAGE = inferMessage('add_sub', INPUTS);
const LARGE = inferMessage('identity_fp32', [fp32('INPUT0', [1, 200_000], Array<number>(200_000).fill(0.5))]);
const GARBAGE = Buffer.from('ffffffff0a', 'hex');
const infer = (title: string, message: Buffer, fields: RawCall['fields'] = {}): CorpusCall => ({
  title: `ModelInfer: ${title}`,
  path: INFER,
  fields,
  body: [frame(message)],
});
const inferBody = (title: string, ...body: readonly Buffer[]): CorpusCall => ({ title: `ModelInfer: ${title}`, path: INFER, body });
const typed = { name: 'INPUT0', datatype: 'FP32', shape: [1, 2], contents: { fp32_contents: [1, 2] } };

const inferences: readonly CorpusCall[] = [
  infer('raw contents', MESSAGE),
  infer('an id, parameters and one output', inferMessage('add_sub', INPUTS, {
    id: 'Grüße', parameters: { a: { bool_param: true }, b: { int64_param: 7 }, c: { string_param: 'x' } }, outputs: [{ name: 'OUTPUT1' }],
  })), // prettier-ignore
  infer('typed contents', inferMessage('identity_fp32', [], { inputs: [typed] })),
  infer('a version', inferMessage('add_sub', INPUTS, { model_version: '1' })),
  infer('a large tensor', LARGE),
  infer('application/grpc+proto', MESSAGE, { 'content-type': 'application/grpc+proto' }),
  infer('metadata', MESSAGE, {
    'x-request-id': 'a',
    'x-bin': 'AAEC',
    'user-agent': 'test',
    'grpc-accept-encoding': 'identity,deflate,gzip',
  }),
  infer('encoding identity', MESSAGE, { 'grpc-encoding': 'identity' }),
  inferBody('a frame in pieces', frame(MESSAGE).subarray(0, 3), frame(MESSAGE).subarray(3, 100), frame(MESSAGE).subarray(100)),
  infer('an unknown model', inferMessage('nobody', INPUTS)),
  infer('a model name beyond ASCII', inferMessage('Grüße %', INPUTS)),
  infer('an unknown version', inferMessage('add_sub', INPUTS, { model_version: '9' })),
  infer('a version that is no number', inferMessage('add_sub', INPUTS, { model_version: 'latest' })),
  infer('no input', inferMessage('add_sub', [])),
  infer('a missing input', inferMessage('add_sub', INPUTS.slice(1))),
  infer('a wrong shape', inferMessage('add_sub', [int32('INPUT0', [1, 4], [1, 2, 3, 4]), int32('INPUT1', [1, 16], row)])),
  infer('a wrong data type', inferMessage('add_sub', [fp32('INPUT0', [1, 16], row), int32('INPUT1', [1, 16], row)])),
  infer('a name of 2000 characters', inferMessage('add_sub', [int32('ü'.repeat(2000), [1, 16], row), int32('INPUT1', [1, 16], row)])),
  infer('a model that fails', inferMessage('fails_at_run', [int64('INPUT0', [1, 1], [9n])])),
  infer('garbage', GARBAGE),
  infer('an empty message', Buffer.alloc(0)),
];

const compressed: readonly CorpusCall[] = [
  { ...infer('in gzip', MESSAGE, { 'grpc-encoding': 'gzip' }), body: [frame(gzipSync(MESSAGE), 1)] },
  { ...infer('in deflate', MESSAGE, { 'grpc-encoding': 'deflate' }), body: [frame(deflateSync(MESSAGE), 1)] },
  { ...infer('in gzip, this one not', MESSAGE, { 'grpc-encoding': 'gzip' }) },
  { ...infer('in broken gzip', MESSAGE, { 'grpc-encoding': 'gzip' }), body: [frame(MESSAGE, 1)] },
  {
    ...infer('in gzip beyond the limit', MESSAGE, { 'grpc-encoding': 'gzip' }),
    body: [frame(gzipSync(Buffer.alloc(MAX_MESSAGE_BYTES + 1)), 1)],
  },
  ...['gzip', 'deflate'].flatMap((encoding) => {
    const compress = encoding === 'gzip' ? gzipSync : deflateSync;
    const call = (title: string, ...body: readonly Buffer[]): CorpusCall => ({
      ...infer(`in ${encoding}, ${title}`, MESSAGE, { 'grpc-encoding': encoding }),
      body,
    });
    const whole = frame(compress(MESSAGE), 1);
    return [
      call('a large tensor', frame(compress(LARGE), 1)),
      call('in pieces', whole.subarray(0, 3), whole.subarray(3, 40), whole.subarray(40)),
      call('cut off', frame(compress(MESSAGE).subarray(0, -5), 1)),
      call('of nothing', frame(Buffer.alloc(0), 1)),
      call('of nothing, compressed', frame(compress(Buffer.alloc(0)), 1)),
      call('other bytes behind it', frame(Buffer.concat([compress(MESSAGE), Buffer.from('abc')]), 1)),
      call('zeros behind it', frame(Buffer.concat([compress(MESSAGE), Buffer.alloc(3)]), 1)),
      call('in two parts', frame(Buffer.concat([compress(MESSAGE.subarray(0, 50)), compress(MESSAGE.subarray(50))]), 1)),
      call('two messages', whole, whole),
      call('two messages, the first broken', frame(MESSAGE, 1), whole),
      call('a message that is cut off', whole.subarray(0, -1)),
      call('marked with 2', frame(MESSAGE, 2)),
      call('garbage', frame(compress(GARBAGE), 1)),
      call('a bomb', frame(compress(Buffer.alloc(50 * MAX_MESSAGE_BYTES)), 1)),
      call('a message of the limit', frame(compress(Buffer.alloc(MAX_MESSAGE_BYTES)), 1)),
      call('a length beyond the limit', frame(Buffer.alloc(10), 1, MAX_MESSAGE_BYTES + 1)),
    ];
  }),
  { ...infer('encoding GZIP', MESSAGE, { 'grpc-encoding': 'GZIP' }), body: [frame(gzipSync(MESSAGE), 1)] },
  { ...infer('an unknown encoding', MESSAGE, { 'grpc-encoding': 'snappy' }), body: [frame(MESSAGE, 1)] },
  inferBody('marked as compressed without an encoding', frame(MESSAGE, 1)),
  inferBody('marked as neither', frame(MESSAGE, 2)),
];

const framing: readonly CorpusCall[] = [
  inferBody('no message'),
  inferBody('nothing but an end', Buffer.alloc(0)),
  inferBody('two messages', frame(MESSAGE), frame(MESSAGE)),
  inferBody('bytes behind the message', frame(MESSAGE), Buffer.from('abc')),
  inferBody('a message that is cut off', frame(MESSAGE).subarray(0, -1)),
  inferBody('a prefix that is cut off', frame(MESSAGE).subarray(0, 4)),
  inferBody('a message beyond the limit', frame(Buffer.alloc(MAX_MESSAGE_BYTES + 1))),
  inferBody('a length beyond the limit', frame(Buffer.alloc(10), 0, MAX_MESSAGE_BYTES + 1)),
  inferBody('the largest length there is', frame(Buffer.alloc(10), 0, 2 ** 32 - 1)),
  inferBody('a message of the limit', frame(Buffer.alloc(MAX_MESSAGE_BYTES))),
];

const heads: readonly CorpusCall[] = [
  ...[
    'application/json',
    'application/grpc+json',
    'application/grpc-web',
    'application/grpcx',
    'application/grpc; charset=x',
    'APPLICATION/GRPC',
    '',
  ].map((type) => infer(`content-type ${type}`, MESSAGE, { 'content-type': type })),
  infer('no content-type', MESSAGE, { 'content-type': undefined }),
  infer('no te', MESSAGE, { te: undefined }),
  ...['GET', 'PUT', 'OPTIONS'].map((method) => ({
    ...infer(`method ${method}`, MESSAGE, { ':method': method }),
    ...(method === 'GET' ? { body: [] } : {}),
  })),
  ...['5S', '1H', '99999999m', 'S', '5', '-5S', '123456789S', '5 S', '5x', '5.5S', ''].map((timeout) =>
    infer(`grpc-timeout "${timeout}"`, MESSAGE, { 'grpc-timeout': timeout }),
  ),
  // Shorter ones end in the queue or by the clock, whichever looks first: on either front end both are right.
  ...['100m'].map((timeout) =>
    infer(`grpc-timeout "${timeout}", over before the model is`, inferMessage('slow', slowInputs(50_000_000n)), {
      'grpc-timeout': timeout,
    }),
  ),
  { ...infer('a query', MESSAGE), path: `${INFER}?a` },
  { ...infer('a slash more', MESSAGE), path: `${INFER}/` },
  { ...infer('headers of 9 KiB', MESSAGE, { x: 'y'.repeat(9 * 1024) }) },
];

const others: readonly CorpusCall[] = [
  ...METHODS.filter((name) => name !== 'ModelInfer').flatMap((name) => [
    {
      title: `${name}: an empty request`,
      path: `/${SERVICE}/${name}`,
      body: [frame(Buffer.alloc(0))],
      dataVaries: name === 'ModelStatistics',
    },
    { title: `${name}: garbage`, path: `/${SERVICE}/${name}`, body: [frame(GARBAGE)] },
    { title: `${name}: no message`, path: `/${SERVICE}/${name}`, body: [] },
  ]),
  ...['ModelReady', 'ModelMetadata', 'ModelConfig', 'ModelStatistics'].flatMap((name) =>
    [{ name: 'digits' }, { name: 'digits', version: '1' }, { name: 'nobody' }, { name: 'digits', version: 'x' }].map((request) => ({
      title: `${name} of ${JSON.stringify(request)}`,
      path: `/${SERVICE}/${name}`,
      body: [frame(rpc(name).requestSerialize(request))],
      dataVaries: name === 'ModelStatistics',
    })),
  ),
  ...['', SERVICE, 'nobody'].map((service) => ({
    title: `Health/Check of "${service}"`,
    path: `/${HEALTH}/Check`,
    body: [frame(rpc('Check', HEALTH).requestSerialize({ service }))],
  })),
  ...['', SERVICE, 'nobody'].map((service) => ({
    title: `Health/Watch of "${service}"`,
    path: `/${HEALTH}/Watch`,
    body: [frame(rpc('Watch', HEALTH).requestSerialize({ service }))],
    cancelsAtBytes: 7,
  })),
  { title: 'Health/Watch with a deadline', path: `/${HEALTH}/Watch`, fields: { 'grpc-timeout': '300m' }, body: [frame(Buffer.alloc(0))] },
  // list_services = "", twice.
  {
    title: 'reflection',
    path: `/${REFLECTION}/ServerReflectionInfo`,
    body: [frame(Buffer.from('3a00', 'hex')), frame(Buffer.from('3a00', 'hex'))],
  },
  {
    title: 'reflection in gzip',
    path: `/${REFLECTION}/ServerReflectionInfo`,
    fields: { 'grpc-encoding': 'gzip' },
    body: [frame(gzipSync(Buffer.from('3a00', 'hex')), 1)],
  },
  {
    title: 'reflection of a name that nobody has',
    path: `/${REFLECTION}/ServerReflectionInfo`,
    body: [frame(Buffer.from('22026162', 'hex'))],
  },
  { title: 'an unknown method', path: `/${SERVICE}/Nothing`, body: [frame(MESSAGE)] },
  { title: 'an unknown service', path: '/a.B/C', body: [frame(MESSAGE)] },
  { title: 'a path of one part', path: '/x', body: [frame(MESSAGE)] },
  { title: 'the path *', path: '*', body: [frame(MESSAGE)] },
  {
    title: 'ServerLive in gzip',
    path: `/${SERVICE}/ServerLive`,
    fields: { 'grpc-encoding': 'gzip' },
    body: [frame(gzipSync(Buffer.alloc(0)), 1)],
  },
  {
    // One that is over at once is a matter of luck: JavaScript answers before or after its timer.
    title: 'ServerLive with a deadline',
    path: `/${SERVICE}/ServerLive`,
    fields: { 'grpc-timeout': '30S' },
    body: [frame(Buffer.alloc(0))],
  },
  { title: 'ModelMetadata beyond the limit', path: `/${SERVICE}/ModelMetadata`, body: [frame(Buffer.alloc(MAX_MESSAGE_BYTES + 1))] },
];

export const GRPC_CORPUS: readonly CorpusCall[] = [...inferences, ...compressed, ...framing, ...heads, ...others];
