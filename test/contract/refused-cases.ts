/** What every form of the protocol must refuse alike: the class of the error, hence both statuses, and the text. */
import { bytes, fp32, int32, int64, type TestTensor } from '../support/tensors.js';
import type { Form, Inference } from '../support/protocols.js';

/** Protocol table 1.2: HTTP status and number of the gRPC status. */
export const STATUSES = {
  invalid: { http: 400, grpc: 3 },
  'not found': { http: 404, grpc: 5 },
  unavailable: { http: 503, grpc: 14 },
  unsupported: { http: 501, grpc: 12 },
  internal: { http: 500, grpc: 13 },
} as const;

export interface RefusedCase extends Inference {
  readonly title: string;
  readonly status: keyof typeof STATUSES;
  readonly text: string;
  /** Forms that count or carry data otherwise, with their text; null = the form cannot say this at all. */
  readonly otherwise?: Readonly<Partial<Record<Form, string | null>>>;
}

const sixteen = Array.from({ length: 16 }, (_, i) => i);
const input0 = int32('INPUT0', [1, 16], sixteen);
const input1 = int32('INPUT1', [1, 16], sixteen);
const valid: Inference = { model: 'add_sub', inputs: [input0, input1] };
const withFirst = (first: TestTensor): Inference => ({ model: 'add_sub', inputs: [first, input1] });
const rows = (name: string, count: number): TestTensor => int32(name, [count, 16], Array<number>(count * 16).fill(0));
/** These forms hand over typed elements, which cannot be out of step with their own bytes. */
const RAW_FORMS_ONLY = { 'HTTP JSON': null, 'gRPC contents': null } as const;

const unknown: readonly RefusedCase[] = [
  {
    title: 'a model that does not exist',
    ...valid,
    model: 'nobody',
    status: 'not found',
    text: "Request for unknown model: 'nobody' is not found",
  },
  {
    title: 'a version that does not exist',
    ...valid,
    model: 'digits',
    version: '7',
    status: 'not found',
    text: "Request for unknown model: 'digits' version 7 is not found, ready versions: 1, 2",
  },
  {
    title: 'a version that could not be loaded',
    ...valid,
    model: 'truncated',
    version: '1',
    status: 'unavailable',
    text: "model 'truncated' version 1 is not ready: cannot load model.onnx: Load model from model.onnx failed:Protobuf parsing failed.",
  },
  {
    title: 'a model of which no version could be loaded',
    ...valid,
    model: 'truncated',
    status: 'not found',
    text:
      "Request for unknown model: 'truncated' has no available versions; version 1 is not ready: cannot load model.onnx: " +
      'Load model from model.onnx failed:Protobuf parsing failed.',
  },
  {
    title: 'an input that the model does not have',
    ...withFirst({ ...input0, name: 'WHAT' }),
    status: 'invalid',
    text: 'inputs[0].name: found "WHAT", expected one of "INPUT0", "INPUT1"',
  },
  {
    title: 'an input that is missing',
    ...valid,
    inputs: [input0],
    status: 'invalid',
    text: 'inputs: missing input "INPUT1", expected "INPUT0", "INPUT1"',
  },
  {
    title: 'a required input that is missing beside an optional one',
    model: 'scaled',
    inputs: [fp32('scale', [1, 1], [2])],
    status: 'invalid',
    text: 'inputs: missing input "x", expected "x", "scale", "turns"',
  },
  {
    title: 'an input that is neither required nor optional',
    model: 'scaled',
    inputs: [fp32('x', [1, 1], [2]), fp32('scales', [1, 1], [2])],
    status: 'invalid',
    text: 'inputs[1].name: found "scales", expected one of "x", "scale", "turns"',
  },
  {
    title: 'an optional input of another batch size',
    model: 'scaled',
    inputs: [fp32('x', [2, 1], [1, 2]), fp32('scale', [1, 1], [2])],
    status: 'invalid',
    text: 'inputs[1].shape[0]: found batch size 1, expected 2 as in input "x"',
  },
  { title: 'an input that comes twice', ...withFirst(input1), status: 'invalid', text: 'inputs: the name "INPUT1" appears twice' },
  {
    title: 'an output that the model does not have',
    ...valid,
    outputs: ['OUTPUT0', 'WHAT'],
    status: 'invalid',
    text: 'outputs[1].name: found "WHAT", expected one of "OUTPUT0", "OUTPUT1"',
  },
  {
    title: 'an output that is asked for twice',
    ...valid,
    outputs: ['OUTPUT0', 'OUTPUT0'],
    status: 'invalid',
    text: 'outputs: the name "OUTPUT0" appears twice',
  },
];

const wrong: readonly RefusedCase[] = [
  {
    title: 'another data type',
    ...withFirst(fp32('INPUT0', [1, 16], sixteen)),
    status: 'invalid',
    text: 'inputs[0].datatype: found FP32, expected INT32 for input "INPUT0"',
  },
  {
    title: 'a data type that does not exist',
    ...withFirst({ ...input0, datatype: 'FLOAT' }),
    status: 'invalid',
    text:
      'inputs[0].datatype: found "FLOAT", expected BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64, FP16, BF16, ' +
      'FP32, FP64 or BYTES',
  },
  {
    title: 'another shape',
    ...withFirst(int32('INPUT0', [1, 15], sixteen.slice(1))),
    status: 'invalid',
    text: 'inputs[0].shape: found [1,15], expected [-1,16] for input "INPUT0"',
  },
  {
    title: 'another rank',
    ...withFirst(int32('INPUT0', [16], sixteen)),
    status: 'invalid',
    text: 'inputs[0].shape: found [16], expected [-1,16] for input "INPUT0"',
  },
  {
    title: 'a negative dimension',
    ...withFirst({ ...input0, shape: [-1, 16] }),
    status: 'invalid',
    text: 'inputs[0].shape[0]: found -1, expected a whole number from 0 to 9223372036854775807',
  },
  {
    title: 'a batch of nothing',
    ...withFirst(rows('INPUT0', 0)),
    status: 'invalid',
    text: 'inputs[0].shape[0]: found batch size 0, batch size must be at least 1',
  },
  {
    title: 'a batch that is too large',
    model: 'add_sub',
    inputs: [rows('INPUT0', 65), rows('INPUT1', 65)],
    status: 'invalid',
    text: 'inputs[0].shape[0]: found batch size 65, expected at most 64',
  },
  {
    title: 'batches that differ between inputs',
    model: 'add_sub',
    inputs: [rows('INPUT0', 2), rows('INPUT1', 3)],
    status: 'invalid',
    text: 'inputs[1].shape[0]: found batch size 3, expected 2 as in input "INPUT0"',
  },
  {
    title: 'too little data for the shape',
    ...withFirst({ ...input0, raw: input0.raw.subarray(0, 60) }),
    status: 'invalid',
    text: 'inputs[0]: found 60 bytes, expected 64 for shape [1,16] INT32',
    otherwise: {
      'HTTP JSON': 'inputs[0].data: found 15 elements, expected 16, the product of the shape',
      'gRPC contents': 'inputs[0].contents.int_contents: found 15 elements, expected 16 by the shape',
    },
  },
  {
    title: 'a BYTES element that is cut off',
    model: 'echo_text',
    inputs: [{ ...bytes('text', [1, 1], ['whole']), raw: Buffer.from('\u0009\u0000\u0000\u0000whole') }],
    status: 'invalid',
    text: 'inputs[0]: found 5 bytes, expected 9 for element 0 of 1',
    otherwise: RAW_FORMS_ONLY,
  },
  {
    title: 'a BOOL that is neither 0 nor 1',
    model: 'identity_bool',
    inputs: [{ name: 'INPUT0', datatype: 'BOOL', shape: [1, 3], raw: Buffer.of(0, 1, 2) }],
    status: 'invalid',
    text: 'inputs[0]: found 2 at element 2, expected 0 or 1 for BOOL',
    otherwise: RAW_FORMS_ONLY,
  },
];

const elsewhere: readonly RefusedCase[] = [
  {
    title: 'a parameter whose name is reserved',
    ...valid,
    parameters: { triton_something: true },
    status: 'invalid',
    text: 'parameters.triton_something: names that start with triton_ are reserved',
  },
  {
    title: 'a parameter of the wrong type',
    ...valid,
    parameters: { priority: 'high' },
    status: 'invalid',
    text: 'parameters.priority: found "high", expected a whole number from 0 to 18446744073709551615',
  },
  {
    title: 'a sequence, which is not supported',
    ...valid,
    parameters: { sequence_id: 7 },
    status: 'unsupported',
    text: 'parameters.sequence_id: sequences are not supported',
  },
  {
    title: 'a run that fails inside the model',
    model: 'fails_at_run',
    inputs: [int64('INPUT0', [1, 1], [9n])],
    status: 'internal',
    text:
      "the model failed: Non-zero status code returned while running Gather node. Name:'' Status Message: " +
      'indices element out of data bounds, idx=9 must be within the inclusive range [-4,3]',
  },
];

export const refusedCases: readonly RefusedCase[] = [...unknown, ...wrong, ...elsewhere];
