import { describe, expect, it } from 'vitest';
import { ERRORS, ServerError, type ErrorCode } from '../../../src/errors.js';
import { errorReply } from '../../../src/frontend/error-reply.js';

describe('the map from errors to statuses', () => {
  it('gives every code an HTTP status and a gRPC status that both say failure', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const reply = errorReply(new ServerError(code, 'text'));
      expect(reply.httpStatus, code).toBeGreaterThanOrEqual(400);
      expect(reply.grpcStatus, code).toBeGreaterThanOrEqual(1);
      expect(reply.grpcStatus, code).toBeLessThanOrEqual(16);
    }
  });

  it.each([
    ['ERR_REQUEST_JSON', 400, 3],
    ['ERR_REQUEST_ENCODING', 501, 12],
    ['ERR_MODEL_UNKNOWN', 404, 5],
    ['ERR_MODEL_NOT_READY', 503, 14],
    ['ERR_MODEL_RUN', 500, 13],
    ['ERR_QUEUE_FULL', 503, 14],
    ['ERR_REQUEST_CANCELLED', 400, 1],
    ['ERR_ROUTE_METHOD', 405, 12],
  ] as const)('answers %s with HTTP %i and gRPC %i', (code, httpStatus, grpcStatus) => {
    expect(errorReply(new ServerError(code, 'text'))).toMatchObject({ httpStatus, grpcStatus, message: 'text' });
  });

  it('says nothing of our insides, whether thrown by accident or on purpose', () => {
    expect(errorReply(new Error('ENOENT /etc/secret'))).toMatchObject({ httpStatus: 500, message: 'internal error' });
    expect(errorReply('a string')).toMatchObject({ httpStatus: 500, message: 'internal error' });
    expect(errorReply(new ServerError('ERR_INTERNAL', 'lane 0x7f')).message).toBe('internal error');
  });

  it('asks for a retry after overload only', () => {
    expect(errorReply(new ServerError('ERR_QUEUE_FULL', '')).retryAfterMs).toBe(1000);
    expect(errorReply(new ServerError('ERR_IN_FLIGHT_FULL', '')).retryAfterMs).toBe(1000);
    expect(errorReply(new ServerError('ERR_MODEL_NOT_READY', '')).retryAfterMs).toBe(0);
    expect(errorReply(new ServerError('ERR_REQUEST_TIMEOUT', '')).retryAfterMs).toBe(0);
  });

  it('passes on what the engine advises', () => {
    expect(errorReply(new ServerError('ERR_QUEUE_FULL', '', { retryAfterMs: 4321 })).retryAfterMs).toBe(4321);
    expect(errorReply(new ServerError('ERR_DEADLINE_UNREACHABLE', '', { retryAfterMs: 5 })).retryAfterMs).toBe(5);
  });
});
