/** The one map from an error to its HTTP and gRPC status (protocol.md 1.2). */
import { asServerError, type ErrorClass, type ErrorCode, type ServerError } from '../errors.js';

export interface ErrorReply {
  readonly httpStatus: number;
  /** Number of a gRPC status code. */
  readonly grpcStatus: number;
  /** What the client may read. */
  readonly message: string;
  /** Milliseconds after which a retry makes sense, before any jitter (retry-delay.ts); 0 = say nothing. */
  readonly retryAfterMs: number;
  /** The whole truth, for the log. */
  readonly error: ServerError;
}

const STATUS: Readonly<Record<ErrorClass, { readonly http: number; readonly grpc: number }>> = {
  invalid: { http: 400, grpc: 3 },
  'not-found': { http: 404, grpc: 5 },
  unavailable: { http: 503, grpc: 14 },
  unsupported: { http: 501, grpc: 12 },
  cancelled: { http: 400, grpc: 1 },
  internal: { http: 500, grpc: 13 },
  'method-not-allowed': { http: 405, grpc: 12 },
};

/** Their texts speak of our insides, which a client must not see. */
const HIDDEN: ReadonlySet<ErrorCode> = new Set(['ERR_INTERNAL', 'ERR_CLOSED', 'ERR_ORT_LIBRARY']);

/** Overload passes within a second or so, where the engine does not know better; a version that is not ready may take minutes. */
const RETRY_SOON: ReadonlySet<ErrorCode> = new Set(['ERR_QUEUE_FULL', 'ERR_IN_FLIGHT_FULL']);
const SOON_MS = 1000;

/** Anything thrown, as a client may see it. What is not a `ServerError` is "internal error" and nothing more. */
export function errorReply(thrown: unknown): ErrorReply {
  const error = asServerError(thrown);
  const { http, grpc } = STATUS[error.class];
  return {
    httpStatus: http,
    grpcStatus: grpc,
    message: HIDDEN.has(error.code) ? 'internal error' : error.message,
    retryAfterMs: error.retryAfterMs || (RETRY_SOON.has(error.code) ? SOON_MS : 0),
    error,
  };
}
