/** The typed messages between the main thread (control plane) and a front-end thread. Plain data only: it crosses by structured clone. */
import type { ErrorCode } from '../errors.js';

/** Handed to a front-end thread as its workerData. */
export interface FrontEndOptions {
  readonly host: string;
  /** 0 = any free port; null = this front end is off. */
  readonly httpPort: number | null;
  readonly grpcPort: number | null;
  readonly maxRequestBytes: number;
  /** HTTP bodies being taken in by this thread at one time; 0 = unbounded. */
  readonly maxReceivingBytes: number;
  readonly maxConnections: number;
  /** Streams of one HTTP/2 connection at one time. */
  readonly maxConcurrentStreams: number;
  /** Milliseconds a client may take for its headers, for its whole request, and between two requests. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly accessLog: boolean;
  readonly logLevel: string;
  readonly serverVersion: string;
}

export type ToFrontEnd =
  /** Stop listening, tell clients to go, finish what was accepted, then answer `drained`. */
  | { readonly type: 'drain' }
  /** Close every connection now. */
  | { readonly type: 'destroy' };

export type FromFrontEnd =
  | { readonly type: 'listening'; readonly httpPort: number | null; readonly grpcPort: number | null }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'drained' };
