/** One request that must be refused, how it is sent, and what must be said to it. */
import { status } from '@grpc/grpc-js';

/** A row of the table of attacks in the README: H = HTTP, T = tensors, G = gRPC, N = names that JavaScript gives a meaning. */
export type Row =
  'H1' | 'H4' | 'H5' | 'H7' | 'H8' | 'H9' | 'H10' | 'H11' | 'H12' | `T${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}` | 'G2' | 'G4' | 'N1';

/** Large ones are made when they are sent, so that the whole corpus stays small in memory. */
export type Bytes = string | Buffer | (() => Buffer);

export type Headers = readonly (readonly [name: string, value: string])[];

/** A well-formed HTTP request around a bad body, header or path; `Host` and `Content-Length` are added. POST unless said otherwise. */
export interface HttpMessage {
  readonly via: 'http';
  readonly method?: string;
  readonly path: string;
  readonly headers?: Headers;
  readonly body?: Bytes;
}

/** Bytes on a connection of their own, not necessarily HTTP. Strings are Latin-1: one character, one byte. */
export interface RawConversation {
  readonly via: 'raw';
  readonly bytes: Bytes;
}

/** One HTTP/2 request on the gRPC port. `body`: the frames with their five-byte prefixes. ModelInfer unless `path` says otherwise. */
export interface GrpcMessage {
  readonly via: 'grpc';
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Bytes;
  /** Leaves the request open: the answer must come without its end. */
  readonly unfinished?: boolean;
}

export interface BadCase {
  readonly row: Row;
  readonly name: string;
  readonly send: HttpMessage | RawConversation | GrpcMessage;
  /** HTTP status or number of the gRPC status; CLOSED. */
  readonly status: number;
  readonly message: RegExp;
  /** Goes to the server whose limit is SMALL_LIMIT instead of the default 64 MiB. */
  readonly small?: boolean;
  /** Why this one is repeated a few times only, not a hundred. */
  readonly heavy?: string;
}

/** --max-request-bytes of the second server: makes cases of size cheap. */
export const SMALL_LIMIT = 1024 * 1024;
export const DEFAULT_LIMIT = 64 * 1024 * 1024;

/** The connection or stream ended without a word of its own. */
export const CLOSED = -1;

export const INVALID = { http: 400, grpc: status.INVALID_ARGUMENT } as const;
export const NOTHING = /^$/;

export function bytesOf(bytes: Bytes): Buffer {
  if (typeof bytes === 'function') return bytes();
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
}

export function inferPath(model: string): string {
  return `/v2/models/${model}/infer`;
}

/** JSON text of an input of identity_fp32 that is right; `overrides` replace or add members, as JSON text. */
export function inputText(overrides: Readonly<Record<string, string>> = {}): string {
  const members = { name: '"INPUT0"', shape: '[1,2]', datatype: '"FP32"', data: '[1,2]', ...overrides };
  return `{${Object.entries(members)
    .map(([name, value]) => `"${name}":${value}`)
    .join(',')}}`;
}

/** JSON text of a whole request with that input. */
export function requestText(overrides: Readonly<Record<string, string>> = {}, rest = ''): string {
  return `{"inputs":[${inputText(overrides)}]${rest}}`;
}
