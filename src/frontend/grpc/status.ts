/** Errors as gRPC statuses. */
import { status, type StatusObject } from '@grpc/grpc-js';
import type { ErrorReply } from '../error-reply.js';
import { retryDelayMs } from '../retry-delay.js';
import { retryTrailers } from './retry-info.js';

/** Status details travel in a header, percent-encoded; peers refuse headers beyond 8 KiB. */
const MAX_DETAILS_CHARS = 800;

/** With google.rpc.RetryInfo in the trailers where a retry makes sense. */
export function grpcStatus(reply: ErrorReply): Pick<StatusObject, 'code' | 'details'> & Partial<StatusObject> {
  const code = reply.grpcStatus;
  const details = statusDetails(reply.message);
  if (reply.retryAfterMs === 0) return { code, details };
  return { code, details, metadata: retryTrailers(code, details, retryDelayMs(reply.retryAfterMs)) };
}

/** Clipped, and without lone surrogates, which percent-encoding throws on. */
export function statusDetails(message: string): string {
  const clipped = message.length <= MAX_DETAILS_CHARS ? message : `${message.slice(0, MAX_DETAILS_CHARS)}...`;
  return Buffer.from(clipped).toString();
}

export function statusName(code: number): string {
  return status[code] ?? String(code);
}
