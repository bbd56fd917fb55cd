import { describe, expect, it } from 'vitest';
import { OptionsError } from '../../../../src/config/load.js';
import { ServerError } from '../../../../src/errors.js';
import { ratiosOf, runRounds, type RunOnce } from '../../../../src/planning/bench/compare-rounds.js';
import type { LoadResult } from '../../../../src/planning/load/load-generator.js';
import { compareRecordOf, loadResult, withMisses } from './records.js';

const NAMES = ['ours', 'theirs'];
const refused = loadResult(10, { refused: 'late' });

/** Answers of each run in turn, the last one for all that follow; `asked` says for which server and round. */
function script(...results: (LoadResult | undefined)[]): { run: RunOnce; asked: string[] } {
  const asked: string[] = [];
  const run: RunOnce = (server, round, attempt) => {
    asked.push(`${round}:${NAMES[server]}${attempt > 1 ? ` again` : ''}`);
    return Promise.resolve(results.length > 1 ? results.shift() : results[0]);
  };
  return { run, asked };
}

describe('the rounds of a comparison', () => {
  it('begin with each server in turn', async () => {
    const { run, asked } = script(loadResult(10));
    expect((await runRounds(NAMES, 3, run)).stopped).toBeNull();
    expect(asked).toEqual(['0:ours', '0:theirs', '1:theirs', '1:ours', '2:ours', '2:theirs']);
  });

  it('repeat a run that was late twice, and go on', async () => {
    const { run, asked } = script(refused, loadResult(10), refused, refused, refused, loadResult(10));
    const { rounds, stopped } = await runRounds(NAMES, 2, run);
    expect(stopped).toBeNull();
    expect(asked.slice(0, 5)).toEqual(['0:ours', '0:ours again', '0:theirs', '0:theirs again', '0:theirs again']);
    expect(rounds.map((runs) => runs.map(({ attempts, result }) => [attempts, result.refused]))).toEqual([
      [
        [2, null],
        [3, 'late'],
      ],
      [
        [1, null],
        [1, null],
      ],
    ]);
    expect(ratiosOf(rounds, 2)).toMatchObject([{ rounds: 1, p50: null }]);
  });

  it('end when no request is answered any more, with what there is', async () => {
    const dead = loadResult(10, { counts: { ...loadResult(10).counts, answered: 0, misses: 10_000 } });
    const { rounds, stopped } = await runRounds(NAMES, 5, script(loadResult(10), loadResult(20), dead).run);
    expect(stopped).toBe('round 2, theirs: no request got a right answer any more');
    expect(rounds.map((runs) => runs.length)).toEqual([2, 1]);
  });

  it('end when a server is gone', async () => {
    const run: RunOnce = (_, round) => (round < 1 ? Promise.resolve(loadResult(10)) : Promise.reject(new OptionsError(['refused'])));
    const { rounds, stopped } = await runRounds(NAMES, 5, run);
    expect(stopped).toBe('round 2, theirs: refused');
    expect(rounds[0]).toHaveLength(2);
  });

  it.each([
    [
      'the generator fails',
      new ServerError('ERR_INTERNAL', 'the generator ended with signal SIGSEGV'),
      'the generator ended with signal SIGSEGV',
    ],
    ['the disk is full', Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }), 'ENOSPC: no space left'],
  ])('end when %s, with what there is', async (_, thrown, message) => {
    const run: RunOnce = (_, round) => (round < 4 ? Promise.resolve(loadResult(10)) : Promise.reject(thrown));
    const { rounds, stopped } = await runRounds(NAMES, 5, run);
    expect(stopped).toContain(`round 5, ours: ${message}`);
    expect(rounds.map((runs) => runs.length)).toEqual([2, 2, 2, 2, 0]);
  });

  it('let each of three servers come after each other one equally often, and at each place', async () => {
    const names = ['a', 'b', 'c'];
    const { rounds } = await runRounds(names, 6, () => Promise.resolve(loadResult(10)));
    const orders = rounds.map((runs) => runs.map(({ server }) => names[server]).join(''));
    expect(orders).toEqual(['abc', 'bca', 'cab', 'cba', 'acb', 'bac']);
  });

  it('end with a signal', async () => {
    expect((await runRounds(NAMES, 5, script(undefined).run)).stopped).toBe('round 1, ours: stopped by a signal');
    const { rounds, stopped } = await runRounds(NAMES, 5, script(loadResult(1), loadResult(1, { complete: false })).run);
    expect([rounds[0]?.length, stopped]).toEqual([2, 'round 1, theirs: stopped by a signal']);
  });
});

describe('the ratios of a comparison', () => {
  it('are ours by theirs, of misses the difference', () => {
    const pairs = [1, 1.01, 0.99].map((noise) => [withMisses(10 * noise, 100), loadResult(20)] as const);
    const [ratios] = ratiosOf(compareRecordOf(pairs).rounds, 2);
    expect(ratios).toMatchObject({ against: 1, rounds: 3, misses: { value: 0.01 } });
    expect(ratios?.p50?.value).toBeCloseTo(0.5, 3);
    expect(ratios?.p50?.low).toBeLessThan(0.5);
    expect(ratios?.p50?.high).toBeGreaterThan(0.5);
    expect(ratios?.rate_answered).toEqual({ value: 1, low: 1, high: 1 });
  });

  it('have no interval for fewer than three rounds', () => {
    const [ratios] = ratiosOf(compareRecordOf([[loadResult(10), loadResult(20)], [loadResult(10), loadResult(20)]]).rounds, 2); // prettier-ignore
    expect(ratios).toMatchObject({ rounds: 2, p50: null, rate_answered: null, misses: null });
  });
});
