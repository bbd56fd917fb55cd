import { expect, it } from 'vitest';
import { LoadTurns } from '../../../src/models/load-turns.js';

/** Work that ends when the test says so. */
class Gate {
  started = false;
  open!: () => void;
  fail!: (reason: Error) => void;
  readonly work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      this.started = true;
      this.open = resolve;
      this.fail = reject;
    });
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('runs one work after the other on the same GPU, in the order of arrival, and others beside them', async () => {
  const turns = new LoadTurns();
  const [first, second, both, elsewhere, onCpu] = [new Gate(), new Gate(), new Gate(), new Gate(), new Gate()];
  const all = [
    turns.take(['a'], first.work),
    turns.take(['a'], second.work),
    turns.take(['b', 'a'], both.work),
    turns.take(['c'], elsewhere.work),
    turns.take([], onCpu.work),
  ];
  const started = async (): Promise<boolean[]> => {
    await settle();
    return [first, second, both, elsewhere, onCpu].map((gate) => gate.started);
  };
  expect(await started()).toEqual([true, false, false, true, true]);
  first.open();
  expect(await started()).toEqual([true, true, false, true, true]);
  second.open();
  expect(await started()).toEqual([true, true, true, true, true]);
  for (const gate of [both, elsewhere, onCpu]) gate.open();
  await Promise.all(all);
});

it('goes on after work that failed, and passes its failure to whoever brought it', async () => {
  const turns = new LoadTurns();
  const bad = new Gate();
  const failed = turns.take(['a'], bad.work);
  const next = turns.take(['a'], () => Promise.resolve(7));
  await settle();
  bad.fail(new Error('broken'));
  await expect(failed).rejects.toThrow('broken');
  await expect(next).resolves.toBe(7);
});
