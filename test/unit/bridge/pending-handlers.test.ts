import { describe, expect, it } from 'vitest';
import { PendingHandlers } from '../../../src/bridge/pending-handlers.js';

interface Named {
  readonly name: string;
}

const pending = (): PendingHandlers<Named> => new PendingHandlers();

function add(handlers: PendingHandlers<Named>, name: string): number {
  const token = handlers.nextToken;
  handlers.add({ name });
  return token;
}

describe('pending handlers', () => {
  it('are found once by the token that they were added under', () => {
    const handlers = pending();
    const tokens = ['a', 'b', 'c'].map((name) => add(handlers, name));
    expect(tokens.toReversed().map((token) => handlers.take(token)?.name)).toEqual(['c', 'b', 'a']);
    expect(tokens.map((token) => handlers.take(token))).toEqual([undefined, undefined, undefined]);
  });

  it('never share a token, nor get that of one which has gone', () => {
    const handlers = pending();
    const seen = new Set<number>();
    const alive: number[] = [];
    for (let i = 0; i < 1000; i++) {
      alive.push(add(handlers, String(i)));
      seen.add(alive.at(-1) ?? -1);
      if (i % 3 !== 0) handlers.take(alive.splice(i % alive.length, 1)[0] ?? -1);
    }
    expect(seen.size).toBe(1000);
    expect(handlers.count).toBe(alive.length);
  });

  it('keep their token for the next when nothing was added under it', () => {
    const handlers = pending();
    expect(handlers.nextToken).toBe(handlers.nextToken);
    expect(handlers.count).toBe(0);
  });

  it('are gone when they are cleared', () => {
    const handlers = pending();
    const token = add(handlers, 'a');
    handlers.clear();
    expect([handlers.count, handlers.take(token)]).toEqual([0, undefined]);
  });
});
