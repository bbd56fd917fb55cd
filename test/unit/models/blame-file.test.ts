import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BlameFile } from '../../../src/models/blame-file.js';

const HANG = { model: 'digits version 2', cause: 'hang' };

let folder: string;
let path: string;
let warnings: string[];
let nowMs: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-blame-'));
  path = join(folder, 'blame.json');
  warnings = [];
  nowMs = Date.parse('2026-01-31T12:00:00Z');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As the next process of the server opens it. */
const open = (): BlameFile => new BlameFile({ path, log: { warn: (_, message) => void warnings.push(message) }, now: () => nowMs });

it('tells the next processes whom the earlier ones suspected when they ended', () => {
  open().follow(HANG);
  const second = open();
  expect(second.holdOf(HANG.model)).toBeUndefined();
  nowMs += 60_000;
  second.follow(HANG);
  const third = open();
  expect(third.holdOf(HANG.model)?.forMs).toBe(600_000);
  expect(third.holdOf('digits version 1')).toBeUndefined();
  nowMs += 600_000;
  expect(third.holdOf(HANG.model)).toBeUndefined();
});

it('takes a suspicion back that has passed, and keeps what was there before', () => {
  open().follow({ model: 'other version 1', cause: 'sticky-error' });
  const file = open();
  file.follow(HANG);
  file.follow(undefined);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    blames: [{ model: 'other version 1', cause: 'sticky-error', at: '2026-01-31T12:00:00.000Z' }],
  });
});

it('counts one failure once, however many turns it lasts', () => {
  const file = open();
  file.follow(HANG);
  nowMs += 200;
  file.follow({ ...HANG });
  file.follow({ ...HANG, cause: 'sticky-error' });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    blames: [{ model: HANG.model, cause: 'sticky-error', at: '2026-01-31T12:00:00.200Z' }],
  });
});

it('drops what is older than a day', () => {
  open().follow(HANG);
  nowMs += 24 * 3600_000;
  open();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ blames: [] });
});

it.each([['{'], ['[]'], ['{"blames":[{"model":"m version 1","cause":"hang","at":"yesterday"}]}'], ['{"blames":[null]}']])(
  'begins anew, with a warning, what it cannot read: %s',
  (text) => {
    writeFileSync(path, text);
    open().follow(HANG);
    expect(warnings).toEqual([expect.stringMatching(/^--model-blame-file cannot be read and is begun anew: /)]);
    expect(readFileSync(path, 'utf8')).toContain(HANG.model);
  },
);

it('refuses at the start a place that cannot be written, and later only warns', () => {
  const file = open();
  rmSync(folder, { recursive: true });
  file.follow(HANG);
  expect(warnings).toEqual([expect.stringMatching(/^who is to blame cannot be written down: ENOENT/)]);
  expect(open).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_OPTION', message: expect.stringContaining('--model-blame-file') as string }),
  );
});
