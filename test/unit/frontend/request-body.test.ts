import { describe, expect, it } from 'vitest';
import { FragmentList } from '../../../src/frontend/http/request-body.js';

/** Bytes whose values tell their place. */
function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => index % 251));
}

function split(data: Buffer, sizes: (index: number) => number): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length;) {
    const size = sizes(parts.length);
    parts.push(data.subarray(at, at + size));
    at += size;
  }
  return parts;
}

describe('the fragments of a body', () => {
  it('are handed on as they came when they are few or large', () => {
    const few = split(pattern(1000), () => 100);
    const large = split(pattern(819_200), () => 8192);
    for (const fragments of [few, large]) {
      const list = new FragmentList();
      for (const fragment of fragments) list.add(fragment);
      const taken = list.take();
      expect(taken).toHaveLength(fragments.length);
      expect(taken.every((fragment, index) => fragment === fragments[index])).toBe(true);
    }
  });

  it('are gathered when they are many and small, with large ones among them', () => {
    const data = pattern(400_000);
    const fragments = split(data, (index) => (index % 500 === 499 ? 5000 : 1 + (index % 7)));
    const list = new FragmentList();
    for (const fragment of fragments) list.add(fragment);
    expect(list.bytes).toBe(data.length);
    expect(list.count).toBe(fragments.length);
    const taken = list.take();
    expect(Buffer.concat(taken).equals(data)).toBe(true);
    expect(taken.length).toBeLessThan(fragments.length / 50);
  });

  it('are not held on to once they are taken', () => {
    const list = new FragmentList();
    for (const fragment of split(pattern(1000), () => 10)) list.add(fragment);
    expect(list.take()).not.toEqual([]);
    expect(list.take()).toEqual([]);
  });

  it('do not count when they are empty', () => {
    const list = new FragmentList();
    list.add(Buffer.alloc(0));
    expect([list.count, list.take().length]).toEqual([0, 0]);
  });
});
