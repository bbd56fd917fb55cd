/** Resident memory of servers while something is done to them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from '../../support/server-process.js';

/** Caches, arenas and compiled code fill up first. */
const WARM_UP_ROUNDS = 20;
const ROUNDS = 100;
const AT_ONCE = 16;
/** The lowest of a few readings: garbage that has not been collected yet is no growth. */
const READINGS = 10;

/** Runs `action` on every item, `AT_ONCE` at a time. */
async function eachAtOnce<Item>(items: readonly Item[], action: (item: Item) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await action(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Bytes that each server grew by over a hundred rounds of all items. */
export async function repeatedGrowth<Item>(
  servers: readonly ServerProcess[],
  items: readonly Item[],
  action: (item: Item) => Promise<void>,
): Promise<number[]> {
  const lowest = servers.map(() => Infinity);
  const rounds = async (count: number): Promise<number[]> => {
    lowest.fill(Infinity);
    for (let round = 0; round < count; round += 1) {
      await eachAtOnce(items, action);
      if (round >= count - READINGS)
        servers.forEach((server, index) => (lowest[index] = Math.min(lowest[index] ?? 0, server.residentBytes())));
    }
    return [...lowest];
  };
  const before = await rounds(WARM_UP_ROUNDS);
  const after = await rounds(ROUNDS);
  return after.map((bytes, index) => bytes - (before[index] ?? 0));
}

/** The most bytes that the server held over what it held at first, while `action` went on. */
export async function peakGrowth(server: ServerProcess, action: () => Promise<void>): Promise<number> {
  const before = server.residentBytes();
  let peak = before;
  let done = false;
  const watch = (async (): Promise<void> => {
    while (!done) {
      peak = Math.max(peak, server.residentBytes());
      await sleep(5);
    }
  })();
  try {
    await action();
  } finally {
    done = true;
    await watch;
  }
  return peak - before;
}
