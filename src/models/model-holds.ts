/**
 * Models that end the process through a GPU again and again: nothing mends that but leaving the model out for a while, so that the others are
 * served. Pure: from what is remembered of earlier processes to how long a version waits.
 */

/** One end of a process, or what looks like becoming one. */
export interface Blame {
  /** As `versionLabel` has it. */
  readonly model: string;
  /** As the failures of GPUs are named: "hang", "sticky-error". */
  readonly cause: string;
  /** Milliseconds since 1970: several processes must agree. */
  readonly atMs: number;
}

export interface Hold {
  /** How long to wait from now; > 0. */
  readonly forMs: number;
  /** Why, in words. */
  readonly reason: string;
}

const MINUTE_MS = 60_000;

/** Once may be the GPU's own doing, and a restart mends that. */
const ENDS_ALLOWED = 1;

const FIRST_HOLD_MS = 10 * MINUTE_MS;
const LONGEST_HOLD_MS = 6 * 60 * MINUTE_MS;

/** A blame counts for so long: more than the longest hold, so that a model that is always bad ends few processes a day. */
export const BLAME_COUNTS_MS = 24 * 60 * MINUTE_MS;

/** The name that the engine gives a version in messages. */
export function versionLabel(model: string, version: number): string {
  return `${model} version ${version}`;
}

/** Undefined: it may be loaded. Each further end doubles the wait. */
export function holdOf(blames: readonly Blame[], model: string, nowMs: number): Hold | undefined {
  const own = blames.filter((blame) => blame.model === model && nowMs - blame.atMs < BLAME_COUNTS_MS);
  const last = own.reduce<Blame | undefined>(
    (latest, blame) => (latest !== undefined && latest.atMs > blame.atMs ? latest : blame),
    undefined,
  );
  if (last === undefined || own.length <= ENDS_ALLOWED) return undefined;
  const holdMs = Math.min(LONGEST_HOLD_MS, FIRST_HOLD_MS * 2 ** (own.length - ENDS_ALLOWED - 1));
  // A clock that was set back must not make the wait longer than it ever is.
  const untilMs = Math.min(last.atMs, nowMs) + holdMs;
  if (untilMs <= nowMs) return undefined;
  // Short: it is part of what clients are told, which is cut.
  const until = new Date(untilMs).toISOString().replace(/\.\d+Z$/, 'Z');
  const reason = `it ended the server ${own.length} times in a day (${last.cause}) and is tried again at ${until}`;
  return { forMs: untilMs - nowMs, reason };
}
