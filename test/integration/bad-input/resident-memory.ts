/** Resident memory of servers while something is done to them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from '../../support/server-process.js';

/** The lowest of a few readings: garbage that has not been collected yet is no growth. */
const READINGS = 10;

/** Runs `action` on every item, `atOnce` at a time. */
async function each<Item>(items: readonly Item[], atOnce: number, action: (item: Item) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await action(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Bytes that each server grew by over `rounds` of all items; heaps and arenas get `warmUp` rounds to fill up before. */
export async function repeatedGrowth<Item>(
  servers: readonly ServerProcess[],
  items: readonly Item[],
  { warmUp, rounds, atOnce }: { readonly warmUp: number; readonly rounds: number; readonly atOnce: number },
  action: (item: Item) => Promise<void>,
): Promise<number[]> {
  const lowest = servers.map(() => Infinity);
  const repeat = async (count: number): Promise<number[]> => {
    lowest.fill(Infinity);
    for (let round = 0; round < count; round += 1) {
      await each(items, atOnce, action);
      if (round >= count - READINGS)
        servers.forEach((server, index) => (lowest[index] = Math.min(lowest[index] ?? 0, server.residentBytes())));
    }
    return [...lowest];
  };
  const before = await repeat(warmUp);
  const after = await repeat(rounds);
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
