import { describe, expect, it } from 'vitest';
import { backOffMs, mayPass, retryAfterMs } from '../../../src/download/retry.js';
import { refused, tryAgain } from '../../../src/download/source.js';

describe('the time until the next attempt', () => {
  it('doubles up to 30 s, and is spread over its upper half', () => {
    expect([1, 2, 3, 4, 5, 6, 40].map((failed) => backOffMs(failed, 0, 1))).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    expect(backOffMs(3, 0, 0)).toBe(2000);
  });

  it('is never shorter than the server asks for, up to five minutes', () => {
    expect(backOffMs(1, 60_000, 0)).toBe(60_000);
    expect(backOffMs(5, 100, 1)).toBe(16_000);
    expect(backOffMs(1, 86_400_000, 0)).toBe(300_000);
  });
});

it('reads Retry-After as seconds or as a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfterMs('7', now)).toBe(7000);
  expect(retryAfterMs('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30_000);
  expect(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
  expect(retryAfterMs('soon', now)).toBe(0);
  expect(retryAfterMs(undefined, now)).toBe(0);
});

it('asks again only after what may pass', () => {
  expect(mayPass(tryAgain('cut'))).toBe(true);
  expect(mayPass(refused('404'))).toBe(false);
  expect(mayPass(new TypeError('a bug'))).toBe(false);
});
