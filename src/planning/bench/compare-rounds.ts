/** The course of a comparison: rounds of one run against each server, in turns. */
import { OptionsError } from '../../config/load.js';
import type { LoadResult } from '../load/load-generator.js';
import { pairedChange } from './change.js';
import { goodPairs, type ComparedRun, type Ratios } from './compare-record.js';
import { FIGURES, figuresOf, KINDS, type Figures } from './figures.js';

/** Of one run, the first included. */
const ATTEMPTS = 3;

/** Runs the load of this round against a server for the first, second ... time; undefined = it was stopped before it began. May throw: the server is gone, the disk is full. */
export type RunOnce = (server: number, round: number, attempt: number) => Promise<LoadResult | undefined>;

export interface Course {
  readonly rounds: readonly (readonly ComparedRun[])[];
  /** Why it ended early; null = it did not. */
  readonly stopped: string | null;
}

/** `names`: of the servers, for messages. Does not throw what `run` throws: rounds until then are kept. */
export async function runRounds(names: readonly string[], count: number, run: RunOnce): Promise<Course> {
  const rounds: ComparedRun[][] = [];
  for (let round = 0; round < count; round++) {
    const runs: ComparedRun[] = [];
    rounds.push(runs);
    for (const server of orderOf(round, names.length)) {
      const { last, stopped } = await repeated((attempt) => run(server, round, attempt), server);
      if (last !== null) runs.push(last);
      if (stopped !== null) return { rounds, stopped: `round ${round + 1}, ${names[server]}: ${stopped}` };
    }
  }
  return { rounds, stopped: null };
}

/**
 * Each server comes first, second ... equally often: a drift of the machine then favours none. Of three and more every second cycle runs
 * backwards, so that none always follows the same one.
 */
function orderOf(round: number, count: number): readonly number[] {
  const order = Array.from({ length: count }, (_, i) => (i + round) % count);
  return count > 2 && Math.floor(round / count) % 2 === 1 ? order.reverse() : order;
}

async function repeated(
  run: (attempt: number) => Promise<LoadResult | undefined>,
  server: number,
): Promise<{ readonly last: ComparedRun | null; readonly stopped: string | null }> {
  for (let attempt = 1; ; attempt++) {
    let result: LoadResult | undefined;
    try {
      result = await run(attempt);
    } catch (thrown) {
      return { last: null, stopped: textOf(thrown) };
    }
    if (result === undefined) return { last: null, stopped: 'stopped by a signal' };
    const last = { server, attempts: attempt, result };
    if (!result.complete) return { last, stopped: 'stopped by a signal' };
    if (result.counts.requests > 0 && result.counts.answered === 0) return { last, stopped: 'no request got a right answer any more' };
    if (result.refused === null || attempt === ATTEMPTS) return { last, stopped: null };
  }
}

function textOf(thrown: unknown): string {
  if (thrown instanceof OptionsError) return thrown.faults.join('; ');
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Of the first server to each other one. */
export function ratiosOf(rounds: Course['rounds'], servers: number): readonly Ratios[] {
  return Array.from({ length: servers - 1 }, (_, i) => {
    const pairs = goodPairs(rounds, i + 1).map(({ ours, theirs }) => ({ ours: figuresOf(ours), theirs: figuresOf(theirs) }));
    const figures = FIGURES.map((name) => {
      const [above, below] = [pairs.map(({ ours }) => ours[name]?.value ?? NaN), pairs.map(({ theirs }) => theirs[name]?.value ?? NaN)];
      return [name, pairedChange(below, above, KINDS[name].scale)];
    });
    return { against: i + 1, rounds: pairs.length, ...(Object.fromEntries(figures) as unknown as Figures) };
  });
}
