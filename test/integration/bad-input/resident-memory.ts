/** Resident memory of servers while something is done to them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from '../../support/server-process.js';

/** Each is taken behind a settling; the lowest counts. */
const READINGS = 5;

export interface Repetition<Item> {
  /** Heaps and arenas get these rounds to fill up before the first reading. */
  readonly warmUp: number;
  readonly rounds: number;
  readonly atOnce: number;
  readonly action: (item: Item) => Promise<void>;
  /** Makes the servers collect their garbage: V8 lets it grow by 20 MiB and more otherwise, which is no leak but hides one. */
  readonly settle: () => Promise<void>;
}

/** Runs `action` on every item, `atOnce` at a time. */
async function each<Item>(items: readonly Item[], atOnce: number, action: (item: Item) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await action(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Bytes that each server grew by over `rounds` of all items. */
export async function repeatedGrowth<Item>(
  servers: readonly ServerProcess[],
  items: readonly Item[],
  { warmUp, rounds, atOnce, action, settle }: Repetition<Item>,
): Promise<number[]> {
  const settled = async (): Promise<number[]> => {
    const lowest = servers.map(() => Infinity);
    for (let reading = 0; reading < READINGS; reading += 1) {
      await settle();
      servers.forEach((server, index) => (lowest[index] = Math.min(lowest[index] ?? Infinity, server.residentBytes())));
    }
    return lowest;
  };
  for (let round = 0; round < warmUp; round += 1) await each(items, atOnce, action);
  const before = await settled();
  for (let round = 0; round < rounds; round += 1) await each(items, atOnce, action);
  const after = await settled();
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
