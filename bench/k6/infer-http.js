/**
 * V2 over HTTP. Inputs go in the binary form: a JSON header, then the bytes of all tensors; the header `Inference-Header-Content-Length`
 * says where they begin. Outputs come in the same form, or as JSON where that is asked for.
 */
import http from 'k6/http';
import { BASE_URL, MODEL, REQUEST_TIMEOUT } from './settings.js';
import { modelOf, sampleInputs } from './sample-request.js';

const MODEL_URL = `${BASE_URL}/v2/models/${encodeURIComponent(MODEL)}`;
const HEADER_LENGTH = 'Inference-Header-Content-Length';

/** k6's metric of the time from the first byte sent to the last received, connecting left out. */
export const LATENCY = 'http_req_duration';

/** `{model}`, or `{problem}`: why it is not to be had. */
export function describe() {
  const reply = http.get(MODEL_URL, { responseType: 'text', timeout: REQUEST_TIMEOUT });
  if (reply.status === 0) return { problem: `${MODEL_URL} cannot be reached: ${reply.error}` };
  if (reply.status !== 200) return { problem: `${MODEL_URL} answers ${reply.status}: ${reply.body}` };
  return { model: modelOf(reply.json()) };
}

/** `{answer}`, or what became of the request instead: `{problem, isRefusal, isUnreachable}`. */
export function infer(model, { rows, kind }) {
  const reply = post(model, rows, kind);
  if (reply.status === 0) return { problem: reply.error, isUnreachable: true };
  if (reply.status !== 200) {
    const body = reply.body instanceof ArrayBuffer ? textOf(reply.body, reply.body.byteLength) : reply.body;
    // Come back later, and when: nothing else is a refusal. A server without the model answers 503 too.
    return { problem: `${reply.status}: ${body}`, isRefusal: reply.status === 503 && reply.headers['Retry-After'] !== undefined };
  }
  try {
    return { answer: kind === 'json' ? jsonAnswer(reply.json()) : binaryAnswer(reply) };
  } catch (error) {
    return { answer: { fault: `the answer cannot be read: ${error.message}` } };
  }
}

function post(model, rows, kind) {
  const inputs = sampleInputs(model, rows);
  const header = JSON.stringify({
    inputs: inputs.map(({ bytes, ...tensor }) => ({ ...tensor, parameters: { binary_data_size: bytes } })),
    parameters: { binary_data_output: kind !== 'json' },
  });
  const body = new Uint8Array(header.length + inputs.reduce((sum, { bytes }) => sum + bytes, 0));
  // Names are those of tensors: ASCII as a rule, and then a character is a byte.
  for (let index = 0; index < header.length; index++) body[index] = header.charCodeAt(index);
  return http.post(`${MODEL_URL}/infer`, body.buffer, {
    headers: { 'Content-Type': 'application/octet-stream', [HEADER_LENGTH]: String(header.length) },
    responseType: kind === 'json' ? 'text' : 'binary',
    tags: { kind },
    timeout: REQUEST_TIMEOUT,
  });
}

const textOf = (buffer, length) => String.fromCharCode(...new Uint8Array(buffer, 0, length));

const jsonAnswer = ({ model_name, outputs }) => ({
  modelName: model_name,
  outputs: outputs.map(({ name, datatype, shape, data }) => ({ name, datatype, shape, elements: data.length })),
});

function binaryAnswer({ body, headers }) {
  const headerBytes = Number(headers[HEADER_LENGTH]);
  if (!(headerBytes > 0 && headerBytes <= body.byteLength)) return { fault: `${HEADER_LENGTH} is ${headers[HEADER_LENGTH]}` };
  const { model_name, outputs } = JSON.parse(textOf(body, headerBytes));
  const sizes = outputs.map(({ parameters }) => parameters.binary_data_size);
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  if (total !== body.byteLength - headerBytes) return { fault: `${body.byteLength - headerBytes} bytes follow the header, not ${total}` };
  const tensors = outputs.map(({ name, datatype, shape }, index) => ({ name, datatype, shape, bytes: sizes[index] }));
  return { modelName: model_name, outputs: tensors };
}
