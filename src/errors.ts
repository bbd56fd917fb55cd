/**
 * The one table of failures. Numbers equal native/base/status.h (a test compares the two); they are never renumbered and never reused.
 * The class of a code decides its HTTP and gRPC status in frontend/error-reply.ts.
 */
export type ErrorClass = 'invalid' | 'not-found' | 'unavailable' | 'unsupported' | 'cancelled' | 'internal' | 'method-not-allowed';

interface ErrorRow {
  readonly number: number;
  readonly class: ErrorClass;
  /** What the code means, for the README's table. */
  readonly meaning: string;
}

export const ERRORS = {
  ERR_REQUEST_JSON: { number: 100, class: 'invalid', meaning: 'the body is not valid JSON' },
  ERR_REQUEST_FIELD: { number: 101, class: 'invalid', meaning: 'a field of the request is missing or has the wrong form' },
  ERR_REQUEST_PROTOBUF: { number: 102, class: 'invalid', meaning: 'the gRPC message is not a valid protobuf' },
  ERR_REQUEST_TOO_LARGE: { number: 103, class: 'invalid', meaning: 'the request is larger than a limit allows' },
  ERR_REQUEST_HEADER: { number: 104, class: 'invalid', meaning: 'an HTTP header has an impossible value' },
  ERR_REQUEST_ENCODING: { number: 105, class: 'unsupported', meaning: 'the Content-Encoding is not one we read' },
  ERR_REQUEST_DEPTH: { number: 106, class: 'invalid', meaning: 'the request is nested too deeply' },
  ERR_REQUEST_COMPRESSED: { number: 107, class: 'invalid', meaning: 'the compressed body cannot be decompressed' },
  ERR_REQUEST_PARAMETER: { number: 108, class: 'invalid', meaning: 'a request parameter has an impossible value' },
  ERR_TENSOR_DTYPE: { number: 200, class: 'invalid', meaning: 'a tensor has another data type than the model expects' },
  ERR_TENSOR_SHAPE: { number: 201, class: 'invalid', meaning: 'a tensor has another shape than the model expects' },
  ERR_TENSOR_SIZE: { number: 202, class: 'invalid', meaning: 'a tensor has more or fewer bytes than its shape needs' },
  ERR_TENSOR_DATA: { number: 203, class: 'invalid', meaning: 'an element of a tensor is wrong, missing or too many' },
  ERR_TENSOR_NAME: { number: 204, class: 'invalid', meaning: 'an input or output is missing, unknown or named twice' },
  ERR_TENSOR_BATCH: { number: 205, class: 'invalid', meaning: 'the batch is larger than the model allows, or differs between inputs' },
  ERR_TENSOR_NOT_JSON: { number: 206, class: 'invalid', meaning: 'an output holds values that JSON cannot carry; ask for binary' },
  ERR_MODEL_UNKNOWN: { number: 300, class: 'not-found', meaning: 'no such model or version' },
  ERR_MODEL_NOT_READY: { number: 301, class: 'unavailable', meaning: 'the version exists but is not ready' },
  ERR_MODEL_LOAD: { number: 302, class: 'internal', meaning: 'the model file cannot be loaded' },
  ERR_MODEL_CONFIG: { number: 303, class: 'invalid', meaning: 'the model configuration is wrong or disagrees with the file' },
  ERR_MODEL_RUN: { number: 304, class: 'internal', meaning: 'the model failed while running' },
  ERR_MODEL_HELD_BACK: {
    number: 305,
    class: 'unavailable',
    meaning: 'the version has ended the server again and again and is left out for a while',
  },
  ERR_QUEUE_FULL: { number: 400, class: 'unavailable', meaning: "the model's queue is full; try again later" },
  ERR_REQUEST_TIMEOUT: { number: 401, class: 'unavailable', meaning: 'the request waited longer than its timeout' },
  ERR_REQUEST_CANCELLED: { number: 402, class: 'cancelled', meaning: 'the client cancelled the request' },
  ERR_IN_FLIGHT_FULL: { number: 403, class: 'unavailable', meaning: 'the server holds as much work as it may; try again later' },
  ERR_DEADLINE_UNREACHABLE: {
    number: 404,
    class: 'unavailable',
    meaning: 'too much work is waiting for the request to be answered in time; try again later',
  },
  ERR_SERVER_EXITING: { number: 500, class: 'unavailable', meaning: 'the server is shutting down' },
  ERR_INTERNAL: { number: 501, class: 'internal', meaning: 'a fault of the server' },
  ERR_NOT_SUPPORTED: { number: 502, class: 'unsupported', meaning: 'a part of the protocol that this server does not offer' },
  ERR_MEMORY: { number: 503, class: 'unavailable', meaning: 'not enough memory for this request' },
  ERR_ORT_LIBRARY: { number: 504, class: 'internal', meaning: 'ONNX Runtime cannot be loaded' },
  ERR_CLOSED: { number: 505, class: 'internal', meaning: 'a handle was used after it was closed' },
  ERR_ROUTE_UNKNOWN: { number: 506, class: 'not-found', meaning: 'no such route' },
  ERR_ROUTE_METHOD: { number: 507, class: 'method-not-allowed', meaning: 'the route exists but not for this HTTP method' },
  ERR_CONFIG_OPTION: { number: 600, class: 'invalid', meaning: 'a start option has an impossible value' },
  ERR_PORT_BUSY: { number: 601, class: 'unavailable', meaning: 'a port is already in use' },
  ERR_GPU_OOM: { number: 700, class: 'unavailable', meaning: 'not enough GPU memory for this request or model' },
  ERR_GPU_FAULT: { number: 701, class: 'unavailable', meaning: 'the GPU context has failed and the server is restarting; try again' },
  ERR_GPU_LOST: { number: 702, class: 'unavailable', meaning: 'the GPU is gone' },
  ERR_GPU_UNAVAILABLE: { number: 703, class: 'unavailable', meaning: 'a GPU is asked for, but none can be used' },
  ERR_CUDA_PROVIDER: { number: 704, class: 'internal', meaning: "ONNX Runtime's CUDA provider cannot be used" },
  ERR_PULL_SOURCE: { number: 800, class: 'unavailable', meaning: 'what is to be pulled cannot be had just now; try again' },
  ERR_PULL_REFUSED: { number: 801, class: 'invalid', meaning: 'the source refuses to be pulled, or is not what was asked for' },
  ERR_PULL_TARGET: { number: 802, class: 'unavailable', meaning: 'the folder cannot take what is pulled' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The only error type that leaves a function on purpose. Callers match on `code`, never on text. */
export class ServerError extends Error {
  readonly code: ErrorCode;
  /** Milliseconds after which a retry makes sense, as far as is known; 0 = nothing is known. */
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(message, options);
    this.name = 'ServerError';
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs ?? 0;
  }

  get class(): ErrorClass {
    return ERRORS[this.code].class;
  }
}

/** Anything thrown becomes a `ServerError`; what is not one already is wrapped as a fault of the server, with its cause. */
export function asServerError(thrown: unknown): ServerError {
  if (thrown instanceof ServerError) return thrown;
  return new ServerError('ERR_INTERNAL', 'internal error', { cause: thrown });
}

/** The sentence of anything thrown, as it is: for whoever can do something about the cause. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
