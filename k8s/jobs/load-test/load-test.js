/** Load on one model at a fixed rate, with thresholds that fail the run (k6 ends with code 99). Settings: load-test.env. */
/* global __ENV */
import { fail } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';

const setting = (name, fallback) => __ENV[name] || fallback;
const BASE_URL = setting('BASE_URL', 'http://localhost:8000');
const MODEL = setting('MODEL', 'digits');
const BATCH_SIZE = Number(setting('BATCH_SIZE', '1'));
const RATE = Number(setting('RATE', '100'));
const MAX_VUS = Number(setting('MAX_VUS', '200'));
const P95_MS = Number(setting('P95_MS', '100'));
const ERROR_RATE = Number(setting('ERROR_RATE', '0.001'));

/** Strings have four bytes each: the length of the empty string. */
const ELEMENT_BYTES = {
  BOOL: 1,
  INT8: 1,
  UINT8: 1,
  INT16: 2,
  UINT16: 2,
  FP16: 2,
  BF16: 2,
  INT32: 4,
  UINT32: 4,
  FP32: 4,
  BYTES: 4,
  INT64: 8,
  UINT64: 8,
  FP64: 8,
};

export const options = {
  discardResponseBodies: true,
  scenarios: {
    load: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: setting('DURATION', '2m'),
      preAllocatedVUs: Math.min(MAX_VUS, 20),
      maxVUs: MAX_VUS,
      gracefulStop: '30s',
    },
  },
  thresholds: {
    'http_req_failed{scenario:load}': [`rate<=${ERROR_RATE}`],
    'http_req_duration{scenario:load}': [`p(95)<${P95_MS}`],
    // Requests that could not be sent in time because all before them were still waiting.
    dropped_iterations: [`rate<=${RATE * ERROR_RATE}`],
  },
};

/** The request for any model: its inputs from its metadata, every unknown dimension 1, every element zero. */
export function setup() {
  const url = `${BASE_URL}/v2/models/${encodeURIComponent(MODEL)}`;
  const metadata = http.get(url, { responseType: 'text' });
  if (metadata.status !== 200) exec.test.abort(`${url} answers ${metadata.status}: ${metadata.body || metadata.error}`);
  let dataBytes = 0;
  const inputs = metadata.json('inputs').map(({ name, datatype, shape }) => {
    const known = shape.map((dim, index) => (dim >= 0 ? dim : index === 0 ? BATCH_SIZE : 1));
    const bytes = known.reduce((product, dim) => product * dim, ELEMENT_BYTES[datatype]);
    dataBytes += bytes;
    return { name, datatype, shape: known, parameters: { binary_data_size: bytes } };
  });
  const request = { url: `${url}/infer`, header: JSON.stringify({ inputs, parameters: { binary_data_output: true } }), dataBytes };
  const first = post(request, bodyOf(request), 'text');
  if (first.status !== 200) exec.test.abort(`the first request is refused with ${first.status}: ${first.body || first.error}`);
  return request;
}

/** k6 hands `setup`'s result over as JSON, so each VU makes the bytes once itself. */
let body;

export default function load(request) {
  body = body || bodyOf(request);
  post(request, body, 'none');
}

/** Names are those of tensors: ASCII as a rule, and then a character is a byte. */
function bodyOf({ header, dataBytes }) {
  const bytes = new Uint8Array(header.length + dataBytes);
  for (let index = 0; index < header.length; index++) {
    const code = header.charCodeAt(index);
    if (code > 127) fail('a name of a tensor is not ASCII');
    bytes[index] = code;
  }
  return bytes.buffer;
}

function post({ url, header }, data, responseType) {
  const headers = { 'Content-Type': 'application/octet-stream', 'Inference-Header-Content-Length': String(header.length) };
  return http.post(url, data, { headers, responseType, timeout: '30s' });
}
