/** The log of a server as objects. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerPorts, ServerProcess } from './server-process.js';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Every line so far. Throws when one is not a JSON object with a level, a time and a message. */
export function logLines(server: ServerProcess): LogLine[] {
  return server.lines.map((text) => {
    const line = JSON.parse(text) as LogLine;
    if (typeof line.level !== 'string' || typeof line.msg !== 'string' || Number.isNaN(Date.parse(String(line['time'])))) {
      throw new Error(`not a log line: ${text}`);
    }
    return line;
  });
}

/** Waits for a line that `fits`. */
export async function untilLogged(server: ServerProcess, fits: (line: LogLine) => boolean, withinMs = 10_000): Promise<LogLine> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = logLines(server).find(fits);
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`no such line within ${withinMs} ms:\n${server.lines.join('\n')}`);
    await sleep(20);
  }
}

/** The ports of a server that listens, ready or not. */
export async function listeningPorts(server: ServerProcess): Promise<ServerPorts> {
  const line = await untilLogged(server, ({ msg }) => msg === 'listening');
  return line['ports'] as ServerPorts;
}
