/** The log: JSON lines on stderr. Standard output stays free for the answers of commands. */
import { pino, stdTimeFunctions, type Logger } from 'pino';

export type { Logger } from 'pino';

export interface LoggerOptions {
  /** A level of pino, or `silent`; src/config checks it. */
  readonly level: string;
  /** Who writes: `main`, or the name of a front-end thread. */
  readonly name: string;
}

/** A logger of this thread. Lines are written before the call returns, because a line that explains an exit must not die with the process. */
export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      name: options.name,
      base: {},
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
