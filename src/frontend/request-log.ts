/** Log lines about requests: the access line, when it is asked for, and the reason of each failure. */
import type { Logger } from '../telemetry/log.js';
import type { ErrorReply } from './error-reply.js';

/** What is known of a request when it has ended. */
export interface RequestFacts {
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
}

interface RequestResult extends RequestFacts {
  /** HTTP status, or name of the gRPC status; `aborted` when the client left before the answer. */
  readonly status: number | string;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface RequestOutcome extends RequestResult {
  /** From `performance.now()`. */
  readonly startedMs: number;
}

/** Of a request that ended before it is told of. */
export interface TimedRequestOutcome extends RequestResult {
  readonly durationMs: number;
}

export class RequestLog {
  readonly #log: Logger;
  /** Whether each request gets a line of its own. */
  readonly access: boolean;

  constructor(log: Logger, access: boolean) {
    this.#log = log;
    this.access = access;
  }

  /** One access line; nothing when the access log is off. */
  ended({ startedMs, ...result }: RequestOutcome): void {
    if (this.access) this.endedAfter({ ...result, durationMs: performance.now() - startedMs });
  }

  /** The same. */
  endedAfter(outcome: TimedRequestOutcome): void {
    if (!this.access) return;
    this.#log.info(
      {
        method: outcome.method,
        path: outcome.path,
        status: outcome.status,
        duration_ms: Number(outcome.durationMs.toFixed(3)),
        bytes_in: outcome.bytesIn,
        bytes_out: outcome.bytesOut,
        request_id: outcome.requestId,
      },
      'request',
    );
  }

  /** Faults of the server are errors with their cause; what a client did wrong is of interest only when debugging. */
  failed(facts: RequestFacts, { error }: ErrorReply): void {
    const fields = { method: facts.method, path: facts.path, request_id: facts.requestId, code: error.code };
    if (error.class === 'internal') this.#log.error({ ...fields, err: error, cause: error.cause }, 'request failed');
    else this.#log.debug({ ...fields, reason: error.message }, 'request refused');
  }
}
