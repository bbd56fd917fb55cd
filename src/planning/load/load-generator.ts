/** Runs the native load generator as a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { OptionsError } from '../../config/load.js';
import { ServerError } from '../../errors.js';
import type { LoadSettings } from './load-settings.js';
import type { LoadTarget } from './load-target.js';

/** Milliseconds; null = the requests do not say. */
export interface Quantile {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

export const QUANTILES = ['p50', 'p90', 'p95', 'p99', 'p999'] as const;
export type Quantiles = Readonly<Record<(typeof QUANTILES)[number], Quantile>> & {
  readonly mean_answered: number;
  readonly max_answered: number;
};

/** What the generator prints (native/loadgen/report.h). */
export interface LoadResult {
  /** False: it was stopped early. */
  readonly complete: boolean;
  /** Why this is no measurement; null = it is one. */
  readonly refused: string | null;
  readonly rate_wanted: number | null;
  readonly rate_sent: number;
  readonly rate_answered: number;
  readonly goal_ms: number | null;
  /** Requests per second that were answered right and within the goal; null without one. */
  readonly goodput: number | null;
  /** Requests, and those that missed the goal, of each of some equal parts of the time, by when they were meant to leave; none without a goal. */
  readonly goal_blocks?: readonly (readonly [requests: number, over: number])[] | null;
  /** `late_answers` are among those answered. */
  readonly counts: Readonly<
    Record<'requests' | 'answered' | 'late_answers' | 'misses' | 'wrong' | 'shed' | 'failed' | 'broken' | 'unanswered' | 'warm_up', number>
  >;
  readonly confidence: number;
  readonly latency_ms: Quantiles;
  readonly from_send_ms: Quantiles;
  readonly schedule_delay_ms: Readonly<Record<'p50' | 'p99' | 'max' | 'late_share' | 'waited_for_connection', number>> | null;
  readonly connections: number;
  /** Its threads had real-time priority: it did not wait for the server on the same machine. */
  readonly preferred?: boolean;
  readonly settings: Readonly<Record<string, unknown>>;
}

const PROGRAM = fileURLToPath(new URL('../../../build/native/penstock-loadgen', import.meta.url));
const MESSAGE = 'penstock-loadgen: ';
const EXIT_USAGE = 64;
const EXIT_UNREACHABLE = 69;

/**
 * Resolves with the result, a refused one included. `stop` ends the run early, or before it has begun: then there is no result. Each line of progress goes to `progress`.
 * Throws `OptionsError` for what the generator finds wrong in its flags, or when the server is gone.
 */
export async function runLoad(
  options: LoadSettings,
  target: LoadTarget,
  stop: AbortSignal,
  progress: (line: string) => void,
): Promise<LoadResult | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  try {
    return await runIn(folder, options, target, stop, progress);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runIn(
  folder: string,
  options: LoadSettings,
  target: LoadTarget,
  stop: AbortSignal,
  progress: (line: string) => void,
): Promise<LoadResult | undefined> {
  const body = join(folder, 'body');
  const prefix = join(folder, 'prefix');
  writeFileSync(body, target.request.body);
  writeFileSync(prefix, target.answerPrefix);
  // In a group of its own: Ctrl-C in a terminal reaches it only from here, once.
  const child = spawn(
    PROGRAM,
    ['--end-with-parent', ...flagsOf(options), ...target.request.flags, '--body', body, '--expect-prefix', prefix],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const kill = (): void => void child.kill('SIGINT');
  stop.addEventListener('abort', kill, { once: true });
  if (stop.aborted) kill();
  const messages: string[] = [];
  createInterface(child.stderr).on('line', (line) => {
    if (line.startsWith(MESSAGE)) messages.push(line.slice(MESSAGE.length));
    else progress(line);
  });
  try {
    const [output, [code, signal]] = await Promise.all([text(child.stdout), closed]);
    if (output !== '') return JSON.parse(output) as LoadResult;
    if (stop.aborted) return undefined;
    if (code === EXIT_USAGE || code === EXIT_UNREACHABLE) throw new OptionsError(messages);
    throw new ServerError('ERR_INTERNAL', `${PROGRAM} ended with ${code ?? signal}: ${messages.join('; ')}`);
  } finally {
    stop.removeEventListener('abort', kill);
  }
}

function flagsOf(options: LoadSettings): string[] {
  const loop = options.closedLoop === null ? ['--arrivals', options.arrivals] : ['--closed-loop', String(options.closedLoop)];
  return [
    ...['--host', options.url.hostname.replace(/^\[(.*)\]$/, '$1'), '--port', options.url.port || '80'],
    ...loop,
    ...(options.rate === null ? [] : ['--rate', String(options.rate)]),
    ...(options.duration === null ? [] : ['--duration', String(options.duration)]),
    ...['--warm-up', String(options.warmUp), '--grace', String(options.grace), '--seed', String(options.seed)],
    ...['--threads', String(options.threads), '--connections', String(options.connections)],
    ...(options.streams === null ? [] : ['--streams', String(options.streams)]),
    ...(options.goalMs === null ? [] : ['--goal', String(options.goalMs)]),
  ];
}
