import { expect, it } from 'vitest';
import { runScenario } from '../support/scenario.js';

interface Measured {
  readonly replies: number;
  readonly callbacks: number;
  readonly peak: { readonly ranges: number; readonly rangeBytes: number; readonly residentBytes: number };
  readonly growthBytes: number;
  readonly left: { readonly ranges: number; readonly rangeBytes: number; readonly blocks: number };
}

it('a million replies with garbage collection put off take the memory of those in flight', { timeout: 250_000 }, async () => {
  // A young generation of 256 MiB holds the wrappers of some hundred thousand replies before it is looked at.
  const nodeFlags = ['--min-semi-space-size=256', '--max-semi-space-size=256'];
  const end = await runScenario('million-ranges.mjs', [], { nodeFlags, withinMs: 240_000 });
  expect(end).toMatchObject({ code: 0, signal: null, stderr: '' });
  const { replies, callbacks, peak, growthBytes, left } = JSON.parse(end.stdout) as Measured;
  expect(replies).toBe(1_000_000);
  expect(callbacks).toBeLessThan(replies / 10);
  expect(peak.ranges).toBeLessThanOrEqual(256);
  expect(peak.rangeBytes).toBeLessThanOrEqual(256 * 4104);
  expect(left).toEqual({ ranges: 0, rangeBytes: 0, blocks: 0 });
  // Four gigabytes have passed through; what grows is the wrappers, once, up to the size of the young generation.
  expect(growthBytes).toBeLessThan(800 * 2 ** 20);
});
