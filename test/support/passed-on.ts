/** What the native front end passes on to JavaScript, seen from outside: for each such connection the process holds a pair of sockets. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** Sockets within the machine that the process holds; Linux. */
export function unixSockets(pid: number): number {
  const inodes = new Set(
    readFileSync(`/proc/${pid}/net/unix`, 'utf8')
      .split('\n')
      .map((line) => line.split(/ +/)[6]),
  );
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => inodes.has(inodeOf(`/proc/${pid}/fd/${fd}`))).length;
}

function inodeOf(path: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1] ?? 'no socket';
  } catch {
    return 'closed since';
  }
}
