import { describe, expect, it } from 'vitest';
import { addon } from '../../src/bridge/addon.js';
import { ERRORS, ServerError, type ErrorCode } from '../../src/errors.js';
import { errorReply } from '../../src/frontend/error-reply.js';
import { retryAfterSeconds, retryDelayMs } from '../../src/frontend/retry-delay.js';
import { declaredFields } from '../support/declarations.js';

const codes = Object.keys(ERRORS) as ErrorCode[];

/** Gives these numbers, one after the other. */
function numbers(...values: number[]): () => number {
  return () => values.shift() ?? 0;
}

describe('the native front end', () => {
  it.each(codes)('tells clients of %s what the JavaScript front ends do', (code) => {
    for (const retryAfterMs of [0, 1, 4200]) {
      const error = new ServerError(code, 'the whole truth: \u{1f600}', { retryAfterMs });
      const { httpStatus, grpcStatus, message, retryAfterMs: advice } = errorReply(error);
      expect(addon.errorReply(ERRORS[code].number, error.message, retryAfterMs)).toEqual({
        httpStatus,
        grpcStatus,
        message,
        retryAfterMs: advice,
        isOurFault: error.class === 'internal',
      });
    }
  });

  it('gives the fields that the bridge declares', () => {
    expect(Object.keys(addon.errorReply(400, 'full', 0))).toEqual(declaredFields('NativeErrorReply'));
  });

  it('spreads advice out as the JavaScript front ends do', () => {
    const units = [0, 0.001, 0.25, 0.5, 0.75, 1 - Number.EPSILON];
    for (const advice of [0, 1, 999, 1000, 1001, 1999, 2000, 2001, 4200, 19_999, 20_000, 20_001, 600_000, Number.MAX_SAFE_INTEGER]) {
      for (const unit of units) {
        for (const blur of units) {
          // The blur is drawn first, and only for short advice.
          const random = advice < 2000 ? numbers(blur, unit) : numbers(unit);
          const expected = [retryDelayMs(advice, () => unit), retryAfterSeconds(advice, random)];
          expect([advice, unit, blur, ...addon.retryDelays(advice, unit, blur)]).toEqual([advice, unit, blur, ...expected]);
        }
      }
    }
  });
});
