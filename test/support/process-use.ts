/** What a server uses of its machine, as the kernel counts it. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from './server-process.js';

/** USER_HZ, which is the same on every machine that Linux runs on today (proc(5)). */
const TICKS_PER_SECOND = 100;

/** Milliseconds of user and system time of all threads since the start, in steps of ten. */
export function cpuMs(server: ServerProcess): number {
  const stat = readFileSync(`/proc/${server.child.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third one on, the state
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

export function openDescriptors(server: ServerProcess): number {
  return readdirSync(`/proc/${server.child.pid}/fd`).length;
}

export interface Use {
  /** The most that it held over what it held at first. */
  readonly grownBytes: number;
  readonly cpuMs: number;
}

/** Of a server while `action` goes on. */
export async function useWhile(server: ServerProcess, action: () => Promise<void>): Promise<Use> {
  const bytesBefore = server.residentBytes();
  const cpuBefore = cpuMs(server);
  let peak = bytesBefore;
  const look = (): void => void (peak = Math.max(peak, server.residentBytes()));
  const timer = setInterval(look, 20);
  try {
    await action();
  } finally {
    clearInterval(timer);
  }
  look();
  return { grownBytes: peak - bytesBefore, cpuMs: cpuMs(server) - cpuBefore };
}

/** Waits until the server has no more descriptors open than `most`. */
export async function untilDescriptorsAreBack(server: ServerProcess, most: number, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (openDescriptors(server) > most) {
    if (performance.now() > deadline) throw new Error(`${openDescriptors(server)} descriptors are open, ${most} were before`);
    await sleep(20);
  }
}
