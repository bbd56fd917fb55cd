/** The server and model that are measured over HTTP/1.1. */
import { OptionsError } from '../../config/load.js';
import { binaryRequest } from './binary-request.js';
import { isAllJson, jsonRequest } from './json-request.js';
import type { LoadSettings } from './load-settings.js';
import { commonPrefix, type LoadTarget } from './load-target.js';
import { sampleTensors, type TensorMetadata } from './sample-tensors.js';

/** What a server says of itself and of the model. */
export interface FoundModel {
  readonly server: LoadTarget['server'];
  readonly model: LoadTarget['model'];
  /** Of inference requests, from the root of the server. */
  readonly path: string;
  readonly inputs: readonly TensorMetadata[];
}

export interface HttpRequest {
  readonly body: Uint8Array;
  /** The whole body when the tensors are in the JSON. */
  readonly jsonBytes: number;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

export type HttpAnswer = Pick<HttpRequest, 'body' | 'jsonBytes'>;

const JSON_BYTES = 'Inference-Header-Content-Length';
const TIMEOUT_MS = 10_000;
/** A model may be warming up. */
const TRIAL_TIMEOUT_MS = 60_000;

function inferenceHeaders(request: HttpRequest): Readonly<Record<string, string>> {
  if (isAllJson(request)) return { 'Content-Type': 'application/json' };
  return { 'Content-Type': 'application/octet-stream', [JSON_BYTES]: String(request.jsonBytes) };
}

/** The server answered, with another status than 200. */
export class RequestRefused extends OptionsError {
  readonly status: number;

  constructor(status: number, message: string) {
    super([message]);
    this.status = status;
  }
}

/** There was no answer at all: no server, or none any more, or it took too long. */
export class NoAnswer extends OptionsError {}

/**
 * Throws `OptionsError` when there is no such server or model, or it does not answer the request: `RequestRefused` and `NoAnswer` say which.
 * `inJson`: tensors as JSON. `stop` ends it early, as if there were no answer.
 */
export async function findHttpTarget(options: LoadSettings, inJson: boolean, stop?: AbortSignal): Promise<LoadTarget> {
  const found = await findModel(options, stop);
  const sample = sampleTensors(found.inputs, options);
  if ('faults' in sample) throw new OptionsError(sample.faults);
  const { target } = await tryModel(options.url, found, inJson ? jsonRequest(sample) : binaryRequest(sample), stop);
  return target;
}

/** Throws `OptionsError` when there is no such server or model. */
export async function findModel(options: LoadSettings, stop?: AbortSignal): Promise<FoundModel> {
  const prefix = options.url.pathname.replace(/\/$/, '');
  const version = options.modelVersion === '' ? '' : `/versions/${encodeURIComponent(options.modelVersion)}`;
  const modelPath = `${prefix}/v2/models/${encodeURIComponent(options.model)}${version}`;
  const server = await readDocument(options.url, `${prefix}/v2`, 'metadata of the server', stop);
  const model = await readDocument(options.url, modelPath, `metadata of the model "${options.model}"`, stop);
  const inputs = model['inputs'];
  if (!Array.isArray(inputs) || !inputs.every(isTensorMetadata)) {
    throw new OptionsError([`${options.url.origin}: the metadata of the model "${options.model}" lists no inputs`]);
  }
  return {
    server: { name: textOf(server['name']), version: textOf(server['version']) },
    model: {
      name: options.model,
      versions: Array.isArray(model['versions']) ? model['versions'].map(textOf) : [],
      platform: textOf(model['platform']),
    },
    path: `${modelPath}/infer`,
    inputs,
  };
}

/** Sends the request twice. Throws `OptionsError` when it is not answered. */
export async function tryModel(
  url: URL,
  { server, model, path }: FoundModel,
  request: HttpRequest,
  stop?: AbortSignal,
): Promise<{ readonly target: LoadTarget; readonly answer: HttpAnswer }> {
  const headers = Object.entries(inferenceHeaders(request)).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
  const answer = await tryRequest(url, path, request, stop);
  const again = await tryRequest(url, path, request, stop);
  const target = {
    server,
    model,
    request: {
      flags: ['--path', path, ...headers],
      body: request.body,
      tensors: isAllJson(request) ? 'json' : 'binary',
      shapes: request.shapes,
    } as const,
    answerPrefix: commonPrefix(steadyPart(answer), steadyPart(again)),
  };
  return { target, answer };
}

/** What does not depend on how requests are batched, since that changes the last digits: all before the first values of tensors. */
function steadyPart({ body, jsonBytes }: HttpAnswer): Uint8Array {
  const json = body.subarray(0, jsonBytes);
  const values = jsonBytes < body.length ? -1 : Buffer.from(json.buffer, json.byteOffset, json.length).indexOf('"data"');
  return values < 0 ? json : json.subarray(0, values);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isTensorMetadata(value: unknown): value is TensorMetadata {
  if (typeof value !== 'object' || value === null) return false;
  const { name, datatype, shape } = value as Partial<Record<keyof TensorMetadata, unknown>>;
  return typeof name === 'string' && typeof datatype === 'string' && Array.isArray(shape) && shape.every(Number.isSafeInteger);
}

async function readDocument(url: URL, path: string, what: string, stop?: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
  const { status, body } = await exchange(url, path, { signal: within(TIMEOUT_MS, stop) });
  const document = parse(body);
  if (status === 200 && document !== undefined) return document;
  throw new RequestRefused(status, `${url.origin}: no ${what}: status ${status}${reasonOf(document)}`);
}

async function tryRequest(url: URL, path: string, request: HttpRequest, stop?: AbortSignal): Promise<HttpAnswer> {
  const init = {
    method: 'POST',
    body: request.body as Uint8Array<ArrayBuffer>,
    headers: inferenceHeaders(request),
    signal: within(TRIAL_TIMEOUT_MS, stop),
  };
  const { status, body, headers } = await exchange(url, path, init);
  if (status !== 200) {
    throw new RequestRefused(status, `${url.origin}: the model does not answer: status ${status}${reasonOf(parse(body))}`);
  }
  return { body, jsonBytes: Number(headers.get(JSON_BYTES) ?? body.length) };
}

function within(milliseconds: number, stop?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(milliseconds);
  return stop === undefined ? timeout : AbortSignal.any([timeout, stop]);
}

async function exchange(url: URL, path: string, init: RequestInit): Promise<{ status: number; body: Uint8Array; headers: Headers }> {
  try {
    const response = await fetch(new URL(path, url), init);
    return { status: response.status, body: new Uint8Array(await response.arrayBuffer()), headers: response.headers };
  } catch (thrown) {
    // Node says "fetch failed", and the reason in the cause.
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    const reason = cause instanceof Error ? cause.message || ('code' in cause ? String(cause.code) : cause.name) : String(cause);
    throw new NoAnswer([`no server answers at ${url.origin}: ${reason}`]);
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
