/**
 * V2 over gRPC. k6 takes a message as an object in the JSON form of protobuf and turns it into bytes itself, so `raw_input_contents` are
 * base64 texts here; they travel as bytes. Answers come in the same form: names in lowerCamelCase, 64-bit numbers as texts. That costs k6
 * CPU time by the byte: with large tensors watch that the generator is not what is measured (`penstock bench` is the tool for those).
 */
import grpc from 'k6/net/grpc';
import { BASE_URL, MODEL, PROTOCOL, REQUEST_TIMEOUT } from './settings.js';
import { modelOf, sampleInputs } from './sample-request.js';

const SERVICE = 'inference.GRPCInferenceService';
const CONNECT_TIMEOUT = '5s';
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Where google.rpc.RetryInfo is found. */
const DETAILS = 'grpc-status-details-bin';

/** k6's metric of the time from the call to its answer, connecting left out. */
export const LATENCY = 'grpc_req_duration';

const client = new grpc.Client();
// From the folder of the script that k6 runs, which is this one.
if (PROTOCOL === 'grpc') client.load(['../../proto'], 'grpc_service.proto');

/** Each virtual user has a connection of its own. */
let isConnected = false;

/** Why there is no connection, or ''. */
function connect() {
  if (isConnected) return '';
  try {
    client.connect(BASE_URL, { plaintext: true, timeout: CONNECT_TIMEOUT, maxReceiveSize: MAX_ANSWER_BYTES });
    isConnected = true;
    return '';
  } catch (error) {
    return `${BASE_URL} cannot be reached: ${error.message || error}`;
  }
}

/** k6 shows nothing of an error that has details of a type which is in none of the loaded proto files, as google.rpc.RetryInfo is not. */
const messageOf = ({ error }) => error.message ?? 'with details that k6 cannot read';

/** `{model}`, or `{problem}`: why it is not to be had. */
export function describe() {
  const problem = connect();
  if (problem !== '') return { problem };
  const { status, error, message } = client.invoke(`${SERVICE}/ModelMetadata`, { name: MODEL }, { timeout: REQUEST_TIMEOUT });
  if (status !== grpc.StatusOK) return { problem: `${BASE_URL} answers ${status} when asked for model ${MODEL}: ${messageOf({ error })}` };
  return { model: modelOf(message) };
}

/** `{answer}`, or what became of the request instead: `{problem, isRefusal, isUnreachable}`. */
export function infer(model, { rows, kind }) {
  const problem = connect();
  if (problem !== '') return { problem, isUnreachable: true };
  const reply = client.invoke(`${SERVICE}/ModelInfer`, requestOf(model, rows, kind), { tags: { kind }, timeout: REQUEST_TIMEOUT });
  if (reply.status === grpc.StatusOK) return { answer: answerOf(reply.message) };
  const saysWhen = reply.trailers[DETAILS] !== undefined;
  return {
    problem: `${reply.status}: ${messageOf(reply)}`,
    isRefusal: reply.status === grpc.StatusUnavailable && saysWhen,
    // The client itself says UNAVAILABLE of a connection that broke; what a server sends has trailers.
    isUnreachable: [grpc.StatusUnavailable, grpc.StatusDeadlineExceeded].includes(reply.status) && Object.keys(reply.trailers).length === 0,
  };
}

/** gRPC has no JSON form: `json` names every output instead, and they come as bytes like all others. */
function requestOf(model, rows, kind) {
  const inputs = sampleInputs(model, rows);
  return {
    model_name: model.name,
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    outputs: kind === 'json' ? model.outputs.map(({ name }) => ({ name })) : [],
    raw_input_contents: inputs.map(({ bytes }) => zerosInBase64(bytes)),
  };
}

const TAILS = ['', 'AA==', 'AAA='];

const zerosInBase64 = (bytes) => 'AAAA'.repeat(Math.floor(bytes / 3)) + TAILS[bytes % 3];

function answerOf({ modelName, outputs, rawOutputContents }) {
  if (rawOutputContents.length !== outputs.length) return { fault: `${outputs.length} outputs have ${rawOutputContents.length} contents` };
  const tensors = outputs.map(({ name, datatype, shape }, index) => {
    const base64 = rawOutputContents[index];
    const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
    return { name, datatype, shape: shape.map(Number), bytes: (base64.length / 4) * 3 - padding };
  });
  return { modelName, outputs: tensors };
}
