import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OptionsError } from '../../../../src/config/load.js';
import { readDiffInput } from '../../../../src/planning/bench/diff-input.js';
import { compareRecordOf, loadResult, runRecordOf } from './records.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'penstock-diff-test-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fileWith(content: unknown): string {
  const path = join(folder, `${++files}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function faultsOf(before: string, after: string): string {
  try {
    readDiffInput([before], [after], false);
  } catch (thrown) {
    if (thrown instanceof OptionsError) return thrown.faults.join('\n').replaceAll(`${folder}/`, '');
    throw thrown;
  }
  return '';
}

const good = runRecordOf(loadResult(10));
/** As a file has it, with one field replaced. */
function damaged(path: string, value: unknown): unknown {
  const copy = JSON.parse(JSON.stringify(good)) as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop() ?? '';
  const holder = names.reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, copy);
  holder[last] = value;
  return copy;
}

describe('what diff reads', () => {
  it('is a result on each side', () => {
    const input = readDiffInput([fileWith(good)], [fileWith(runRecordOf(loadResult(12)))], false);
    expect(input).toMatchObject({ kind: 'bench', subject: 'digits of penstock 0.1.0', warnings: [] });
    expect(input.before[0]?.p50?.value).toBe(10);
    expect(input.after[0]?.p99?.value).toBe(48);
  });

  it('is several results of a side, which may have seeds of their own', () => {
    const seeded = (seed: number): string => fileWith(runRecordOf(loadResult(10), { settings: { ...good.settings, seed } }));
    const input = readDiffInput([seeded(1), seeded(2)], [seeded(1), seeded(2)], false);
    expect([input.before.length, input.after.length, input.warnings]).toEqual([2, 2, []]);
    expect(readDiffInput([seeded(1)], [seeded(3)], false).warnings).toEqual(['settings.seed: 1 before, 3 after']);
  });

  it('is the ratios of comparisons, without refused rounds', () => {
    const refused = loadResult(99, { refused: 'late' });
    const before = compareRecordOf([
      [loadResult(10), loadResult(20)],
      [refused, loadResult(20)],
    ]);
    const input = readDiffInput([fileWith(before)], [fileWith(compareRecordOf([[loadResult(30), loadResult(20)]]))], false);
    expect(input.subject).toBe('digits of ours 1, ratio to theirs 1');
    expect(input.before.map(({ p50 }) => p50?.value.toFixed(3))).toEqual(['0.500']);
    expect(input.after.map(({ p50 }) => p50?.value.toFixed(3))).toEqual(['1.500']);
  });

  it.each([
    ['no JSON', '{"kind": "bench", ', 'is not JSON'],
    ['another document', { name: 'x' }, 'kind: expected "bench" or "bench compare", found nothing'],
    ['a list', [1], 'expected an object, found [1]'],
    ['a run without quantile', damaged('result.latency_ms.p99', undefined), 'result.latency_ms.p99: expected an object, found nothing'],
    ['a text for a number', damaged('result.counts.answered', '12'), 'result.counts.answered: expected a number, found "12"'],
    ['a machine that is none', damaged('machine.cores', null), 'machine.cores: expected a number, found null'],
    ['another form of tensors', damaged('settings.tensors', 'xml'), 'settings.tensors: expected "binary" or "json", found "xml"'],
    ['a refused run', damaged('result.refused', 'late'), 'result.refused: expected null, found "late"'],
    ['a run that was stopped', damaged('result.complete', false), 'result.complete: expected true, found false'],
    ['a comparison for a run', compareRecordOf([[loadResult(1), loadResult(1)]]), 'kind: expected "bench" as '],
    ['a comparison without rounds', compareRecordOf([]), 'rounds: expected one that was not refused, found none'],
  ])('is not %s', (_, content, message) => {
    const file = fileWith(content);
    expect(faultsOf(fileWith(good), file)).toContain(message);
    expect(faultsOf(fileWith(good), file)).toContain(file.slice(folder.length + 1));
  });

  it('is not a file that is not there', () => {
    expect(faultsOf(fileWith(good), join(folder, 'nope.json'))).toContain('nope.json: cannot be read: ENOENT');
  });

  it('is refused when settings differ, which are named', () => {
    const other = fileWith(runRecordOf(loadResult(10), { settings: { ...good.settings, rate: 500, batch_size: 8 } }));
    const faults = faultsOf(fileWith(good), other);
    expect(faults).toContain('settings.rate: 500, but 1000 in');
    expect(faults).toContain('settings.batch_size: 8, but 1 in');
    expect(faults).toContain('--force compares all the same');
    expect(readDiffInput([fileWith(good)], [other], true).warnings).toHaveLength(2);
  });

  it('comes with a warning when machine or versions differ', () => {
    const other = runRecordOf(loadResult(10), { machine: { ...good.machine, cores: 64 }, versions: { ...good.versions, node: '24.0.0' } });
    const { warnings } = readDiffInput([fileWith(good)], [fileWith(other)], false);
    expect(warnings.map((warning) => warning.replace(/^.*json: (.*) in .*$/, '$1'))).toEqual([
      'machine.cores: 64, but 2',
      'versions.node: "24.0.0", but "20.20.2"',
    ]);
  });
});
