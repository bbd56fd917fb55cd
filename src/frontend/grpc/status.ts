/** Errors as gRPC statuses. */
import { status, type StatusObject } from '@grpc/grpc-js';
import type { ErrorReply } from '../error-reply.js';

/** Status details travel in a header, percent-encoded; peers refuse headers beyond 8 KiB. */
const MAX_DETAILS_CHARS = 800;

export function grpcStatus(reply: ErrorReply): Pick<StatusObject, 'code' | 'details'> {
  return { code: reply.grpcStatus, details: statusDetails(reply.message) };
}

/** Clipped, and without lone surrogates, which percent-encoding throws on. */
export function statusDetails(message: string): string {
  const clipped = message.length <= MAX_DETAILS_CHARS ? message : `${message.slice(0, MAX_DETAILS_CHARS)}...`;
  return Buffer.from(clipped).toString();
}

export function statusName(code: number): string {
  return status[code] ?? String(code);
}
