/** What every unary call has in common: decoding, answering once, the log line, and errors as statuses. */
import { status, type handleUnaryCall, type MethodDefinition, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { RefusedError } from '../../bridge/inference.js';
import { ServerError } from '../../errors.js';
import { errorReply } from '../error-reply.js';
import type { RequestLog } from '../request-log.js';
import { grpcStatus, statusName } from './status.js';

/** Messages cross grpc-js as bytes: the infer call never decodes them, and the others can answer malformed ones with the right status. */
export type BytesCall = ServerUnaryCall<Buffer, Buffer>;

/** One call and its answer. Answers at most once; later attempts and answers to a client that has left are ignored. */
export class UnaryExchange {
  readonly call: BytesCall;
  /** Request id that the client gave; empty = none, or not known yet. */
  requestId = '';
  readonly #send: sendUnaryData<Buffer>;
  readonly #log: RequestLog;
  readonly #startedMs: number;
  #answered = false;

  constructor(call: BytesCall, send: sendUnaryData<Buffer>, log: RequestLog) {
    this.call = call;
    this.#send = send;
    this.#log = log;
    this.#startedMs = log.access ? performance.now() : 0;
  }

  /** grpc-js emits 'cancelled' after every successful call too: only before the answer does it mean that the client left. */
  onCancelled(callback: () => void): void {
    this.call.on('cancelled', () => {
      if (!this.#answered) callback();
    });
  }

  reply(message: Buffer): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#send(null, message);
    this.#ended(status.OK, message.length);
  }

  fail(thrown: unknown): void {
    if (thrown instanceof RefusedError) this.requestId = thrown.requestId;
    const reply = errorReply(thrown);
    this.#log.failed({ method: 'GRPC', path: this.call.getPath(), requestId: this.requestId }, reply);
    if (this.#answered) return;
    this.#answered = true;
    const failure = reply.error.code === 'ERR_REQUEST_TIMEOUT' && this.#deadlinePassed() ? deadlineExceeded : grpcStatus(reply);
    this.#send(failure);
    this.#ended(failure.code, 0);
  }

  /** The queue gave up at the call's own deadline: the client must not take that for an overload and try again. */
  #deadlinePassed(): boolean {
    return Number(this.call.getDeadline()) <= Date.now();
  }

  #ended(code: number, bytesOut: number): void {
    this.#log.ended({
      method: 'GRPC',
      path: this.call.getPath(),
      status: statusName(code),
      requestId: this.requestId,
      startedMs: this.#startedMs,
      bytesIn: this.call.request.length,
      bytesOut,
    });
  }
}

const deadlineExceeded = { code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' };

/** The definition with messages left as bytes. */
export function bytesDefinition(definition: MethodDefinition<object, object>): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer): Buffer => bytes;
  return { ...definition, requestDeserialize: same, responseSerialize: same, requestSerialize: same, responseDeserialize: same };
}

/** A call that is answered at once. `answer` takes and gives messages as proto-loader has them, and may throw. */
export function simpleCall(
  definition: MethodDefinition<object, object>,
  log: RequestLog,
  answer: (request: Readonly<Record<string, unknown>>) => object,
): handleUnaryCall<Buffer, Buffer> {
  return (call, send) => {
    const exchange = new UnaryExchange(call, send, log);
    try {
      exchange.reply(definition.responseSerialize(answer(decode(definition, call.request))));
    } catch (thrown) {
      exchange.fail(thrown);
    }
  };
}

function decode(definition: MethodDefinition<object, object>, bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    // Of a Buffer protobufjs takes a text that is cut off for a shorter one; of a plain array it refuses it.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) as Buffer;
    return definition.requestDeserialize(plain) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new ServerError('ERR_REQUEST_PROTOBUF', 'the message is not a valid protobuf of its type', { cause });
  }
}
