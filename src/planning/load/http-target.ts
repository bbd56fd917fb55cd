/** The server and model that are measured over HTTP/1.1. */
import { OptionsError } from '../../config/load.js';
import { binaryRequest, type BinaryRequest } from './binary-request.js';
import type { LoadSettings } from './load-settings.js';
import { commonPrefix, type LoadTarget } from './load-target.js';
import type { TensorMetadata } from './sample-tensors.js';

const JSON_BYTES = 'Inference-Header-Content-Length';
const TIMEOUT_MS = 10_000;
/** A model may be warming up. */
const TRIAL_TIMEOUT_MS = 60_000;

function inferenceHeaders(request: BinaryRequest): Readonly<Record<string, string>> {
  return { 'Content-Type': 'application/octet-stream', [JSON_BYTES]: String(request.jsonBytes) };
}

/** Throws `OptionsError` when there is no such server or model, or it does not answer the request. */
export async function findHttpTarget(options: LoadSettings): Promise<LoadTarget> {
  const prefix = options.url.pathname.replace(/\/$/, '');
  const version = options.modelVersion === '' ? '' : `/versions/${encodeURIComponent(options.modelVersion)}`;
  const modelPath = `${prefix}/v2/models/${encodeURIComponent(options.model)}${version}`;
  const server = await readDocument(options.url, `${prefix}/v2`, 'metadata of the server');
  const model = await readDocument(options.url, modelPath, `metadata of the model "${options.model}"`);
  const inputs = model['inputs'];
  if (!Array.isArray(inputs) || !inputs.every(isTensorMetadata)) {
    throw new OptionsError([`${options.url.origin}: the metadata of the model "${options.model}" lists no inputs`]);
  }
  const request = binaryRequest(inputs, options);
  if ('faults' in request) throw new OptionsError(request.faults);
  const path = `${modelPath}/infer`;
  const headers = Object.entries(inferenceHeaders(request)).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
  const first = await tryRequest(options.url, path, request);
  const second = await tryRequest(options.url, path, request);
  return {
    server: { name: textOf(server['name']), version: textOf(server['version']) },
    model: {
      name: options.model,
      versions: Array.isArray(model['versions']) ? model['versions'].map(textOf) : [],
      platform: textOf(model['platform']),
    },
    request: { flags: ['--path', path, ...headers], body: request.body, shapes: request.shapes },
    answerPrefix: commonPrefix(first, second),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isTensorMetadata(value: unknown): value is TensorMetadata {
  if (typeof value !== 'object' || value === null) return false;
  const { name, datatype, shape } = value as Partial<Record<keyof TensorMetadata, unknown>>;
  return typeof name === 'string' && typeof datatype === 'string' && Array.isArray(shape) && shape.every(Number.isSafeInteger);
}

async function readDocument(url: URL, path: string, what: string): Promise<Readonly<Record<string, unknown>>> {
  const { status, body } = await exchange(url, path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const document = parse(body);
  if (status === 200 && document !== undefined) return document;
  throw new OptionsError([`${url.origin}: no ${what}: status ${status}${reasonOf(document)}`]);
}

/** The part of the answer that does not depend on how requests are batched: what JSON says of its tensors. */
async function tryRequest(url: URL, path: string, request: BinaryRequest): Promise<Uint8Array> {
  const init = {
    method: 'POST',
    body: request.body as Uint8Array<ArrayBuffer>,
    headers: inferenceHeaders(request),
    signal: AbortSignal.timeout(TRIAL_TIMEOUT_MS),
  };
  const { status, body, headers } = await exchange(url, path, init);
  if (status !== 200) throw new OptionsError([`${url.origin}: the model does not answer: status ${status}${reasonOf(parse(body))}`]);
  return body.subarray(0, Number(headers.get(JSON_BYTES) ?? body.length));
}

async function exchange(url: URL, path: string, init: RequestInit): Promise<{ status: number; body: Uint8Array; headers: Headers }> {
  try {
    const response = await fetch(new URL(path, url), init);
    return { status: response.status, body: new Uint8Array(await response.arrayBuffer()), headers: response.headers };
  } catch (thrown) {
    // Node says "fetch failed", and the reason in the cause.
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    const reason = cause instanceof Error ? cause.message || ('code' in cause ? String(cause.code) : cause.name) : String(cause);
    throw new OptionsError([`no server answers at ${url.origin}: ${reason}`]);
  }
}

function parse(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(document: Readonly<Record<string, unknown>> | undefined): string {
  return typeof document?.['error'] === 'string' ? `: ${document['error']}` : '';
}
