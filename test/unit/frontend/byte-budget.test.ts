import { expect, it } from 'vitest';
import { ByteBudget } from '../../../src/frontend/http/byte-budget.js';

it('refuses what goes beyond the limit, takes nothing then, and serves again once a body is given back', () => {
  const budget = new ByteBudget(10);
  const [first, second] = [budget.open(), budget.open()];
  first.take(6);
  second.take(4);
  expect(() => second.take(1)).toThrow(expect.objectContaining({ code: 'ERR_IN_FLIGHT_FULL' }));
  expect(budget.held).toBe(10);
  first.close();
  first.close();
  expect(budget.held).toBe(4);
  second.take(6);
  second.close();
  expect(budget.held).toBe(0);
});

it('has no limit when the limit is 0', () => {
  const allotment = new ByteBudget(0).open();
  expect(() => allotment.take(Number.MAX_SAFE_INTEGER)).not.toThrow();
});
