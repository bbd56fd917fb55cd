/** The typed messages between the main thread (control plane) and a front-end thread. Plain data only: it crosses by structured clone. */
import type { ErrorCode } from '../errors.js';
import type { NativePortName, TlsMaterial } from './addon.js';

/** What a front-end thread ends TLS with. */
export interface ThreadTls {
  readonly material: TlsMaterial;
  /** Of session tickets, in the form of node:tls; those of all threads, so that each takes up again what another has begun. */
  readonly ticketKeys: Uint8Array;
}

/** Handed to a front-end thread as its workerData. */
export interface FrontEndOptions {
  /** Which of the front-end threads this is, from 0; one that replaces another takes its number. */
  readonly thread: number;
  /** Whose connections this thread takes. */
  readonly ports: readonly NativePortName[];
  readonly maxRequestBytes: number;
  /** HTTP bodies being taken in by this thread at one time; 0 = unbounded. */
  readonly maxReceivingBytes: number;
  /** Streams of one HTTP/2 connection at one time. */
  readonly maxConcurrentStreams: number;
  /** Milliseconds a client may take for its headers, for its whole request, and between two requests. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly accessLog: boolean;
  readonly logLevel: string;
  readonly serverVersion: string;
  /** Ended by this thread on every connection; null = they are plain. */
  readonly tls: ThreadTls | null;
}

export type ToFrontEnd =
  /** The ports are closed: tell clients to go, finish what was accepted, then answer `drained`. */
  | { readonly type: 'drain' }
  /** For connections that come from now on; only to a thread whose options had one. */
  | { readonly type: 'tls'; readonly tls: ThreadTls }
  /** Close every connection now. */
  | { readonly type: 'destroy' };

export type FromFrontEnd =
  /** It takes connections. */
  | { readonly type: 'listening' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'drained' };
