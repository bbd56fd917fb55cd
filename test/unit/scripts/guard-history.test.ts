import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { seededNormal } from '../planning/bench/seeded-normal.js';

interface Entry {
  readonly date: string;
  readonly commit: string;
  readonly machine: { readonly cpu: string; readonly cores: number };
  readonly busyShare: number;
  readonly rounds: number;
  readonly fallen?: readonly string[];
  readonly accepted?: readonly string[];
  readonly ratios: Readonly<Record<string, { readonly median: number; readonly low: number; readonly high: number }>>;
}
interface History {
  readonly judge: (
    entry: Entry,
    history: readonly Entry[],
  ) => {
    compared: number;
    fallen: readonly { name: string; usual: number; against: string }[];
    why: string | null;
  };
  readonly readHistory: (file: string) => readonly Entry[];
  readonly acceptNewest: (file: string) => readonly string[];
  readonly appendHistory: (file: string, entry: Entry) => void;
}

const bench = new URL('../../../bench/', import.meta.url);
const { judge, readHistory, acceptNewest, appendHistory } = (await import(new URL('measure/guard-history.mjs', bench).href)) as History;

const TRIALS = 4000;
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const machine = { cpu: 'EPYC <"&>', cores: 2 };
function entryOf(value: (name: string) => number, other: Partial<Entry> = {}): Entry {
  const ratios = Object.fromEntries(NAMES.map((name) => [name, { median: value(name), low: 0.1, high: 9 }]));
  return { date: '2026-11-21T12:00:00Z', commit: '1234567', machine, busyShare: 0.01, rounds: 5, ratios, ...other };
}
const steady = (count: number, other: Partial<Entry> = {}): Entry[] => Array.from({ length: count }, () => entryOf(() => 1, other));

function temporaryFile(content?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-guard-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'history.jsonl');
  if (content !== undefined) writeFileSync(file, content);
  return file;
}

describe('the regression guard', () => {
  it.each([0.015, 0.04])('raises a false alarm in 5 % of the runs at most where ratios repeat to %d', (noise) => {
    const normal = seededNormal(3);
    const noisy = (): Entry => entryOf(() => 0.6 * Math.exp(noise * normal()));
    let alarms = 0;
    for (let trial = 0; trial < TRIALS; trial++) {
      const history = Array.from({ length: 10 }, noisy);
      if (judge(noisy(), history).fallen.length > 0) alarms++;
    }
    expect(alarms / TRIALS).toBeLessThan(0.05);
  });

  it('finds a fall of 10 % in more than 90 % of the runs where ratios repeat to 1.5 %', () => {
    const normal = seededNormal(5);
    const noisy = (value: number): Entry => entryOf((name) => (name === 'c' ? value : 1) * Math.exp(0.015 * normal()));
    let found = 0;
    for (let trial = 0; trial < TRIALS; trial++) {
      const history = Array.from({ length: 10 }, () => noisy(1));
      if (judge(noisy(0.9), history).fallen.some(({ name }) => name === 'c')) found++;
    }
    expect(found / TRIALS).toBeGreaterThan(0.9);
  });

  it('says what fell, from which value', () => {
    const { compared, fallen } = judge(
      entryOf((name) => (name === 'b' ? 0.9 : 1.2)),
      steady(6),
    );
    expect([compared, fallen]).toEqual([6, [{ name: 'b', value: 0.9, usual: 1, limit: 0.95, against: 'last' }]]);
  });

  it('compares with quiet entries of the same machine kind only, five at least', () => {
    const low = entryOf(() => 0.5);
    expect(judge(low, steady(4)).compared).toBe(0);
    expect(judge(low, [...steady(4), ...steady(9, { busyShare: 0.5 })]).compared).toBe(0);
    expect(judge(low, [...steady(4), ...steady(9, { machine: { ...machine, cores: 64 } })]).compared).toBe(0);
    expect(judge(low, steady(40))).toMatchObject({ compared: 40, fallen: NAMES.map((name) => ({ name })) });
  });

  it('concludes nothing from a busy machine or from other numbers of rounds', () => {
    const low = entryOf(() => 0.5);
    expect(judge({ ...low, busyShare: 0.4 }, steady(9))).toEqual({
      compared: 0,
      fallen: [],
      why: 'other programs had 40 % of the machine, expected 10 % at most',
    });
    expect(judge({ ...low, rounds: 1 }, steady(9))).toMatchObject({
      compared: 0,
      fallen: [],
      why: 'only entries of 5 rounds are compared, and this one has 1',
    });
    expect(judge(low, [...steady(4), ...steady(9, { rounds: 2 })]).compared).toBe(0);
  });

  it('finds a slow fall, of which every step is within the noise', () => {
    const slow = Array.from({ length: 30 }, (_, i) => entryOf(() => 1 - 0.004 * i));
    const fallen = slow.map((entry, i) => judge(entry, slow.slice(0, i)).fallen[0]?.against);
    expect(fallen.slice(0, 10)).toEqual(Array.from({ length: 10 }));
    expect(fallen.at(-1)).toBe('first');
  });

  it('raises no more false alarms in a long history', () => {
    const normal = seededNormal(7);
    const noisy = (): Entry => entryOf(() => 0.6 * Math.exp(0.015 * normal()));
    const alarms = Array.from({ length: TRIALS / 4 }, () => judge(noisy(), Array.from({ length: 40 }, noisy)).fallen.length > 0);
    expect(alarms.filter(Boolean).length / alarms.length).toBeLessThan(0.05);
  });

  it('goes on saying that a ratio has fallen until that is accepted', () => {
    const file = temporaryFile();
    const low = (name: string): number => (name === 'b' ? 0.8 : 1);
    for (const entry of steady(6)) appendHistory(file, entry);
    for (let i = 0; i < 12; i++) {
      const { fallen } = judge(entryOf(low), readHistory(file));
      expect(fallen.map(({ name }) => name)).toEqual(['b']);
      appendHistory(file, entryOf(low, { fallen: ['b'] }));
    }
    expect(acceptNewest(file)).toEqual(['b']);
    expect(acceptNewest(file)).toEqual([]);
    for (let i = 0; i < 5; i++) {
      expect(judge(entryOf(low), readHistory(file)).fallen).toEqual([]);
      appendHistory(file, entryOf(low));
    }
    const lower = judge(
      entryOf((name) => (name === 'b' ? 0.7 : 1)),
      readHistory(file),
    );
    expect(lower.fallen).toMatchObject([{ name: 'b', usual: 0.8 }]);
  });

  it.each([
    ['a damaged history', '{"ratios": null, "machine": {}}\n', [], 70, 'line 1: expected an object with ratios and machine'],
    ['rounds that are no number', '', ['many'], 64, '"many" is not a number of rounds'],
  ])('says before it measures, and not with the code of a fall, that it was given %s', (_, content, args, code, message) => {
    const guard = fileURLToPath(new URL('guard.mjs', bench));
    const { status, stderr } = spawnSync(process.execPath, [guard, ...(args.length > 0 ? args : ['5']), temporaryFile(content)], {
      encoding: 'utf8',
    });
    expect(stderr).toContain(message);
    expect(status).toBe(code);
  });

  it('reads what it has written, and names the line that is no entry', () => {
    const file = temporaryFile();
    expect(readHistory(file)).toEqual([]);
    for (const entry of steady(2)) appendHistory(file, entry);
    expect(readHistory(file)).toEqual(steady(2));
    expect(() => readHistory(temporaryFile('{"ratios": {}, "machine": {}}\n\n{"ratios": '))).toThrow('line 3: is not JSON');
    const ratios = (text: string): string => temporaryFile(`{"ratios": ${text}, "machine": {}}\n`);
    expect(() => readHistory(ratios('null'))).toThrow('line 1: expected an object with ratios and machine');
    expect(() => readHistory(ratios('{"a": {"median": null, "low": 1, "high": 1}}'))).toThrow('line 1: a: expected median, low and high');
    expect(() => readHistory(temporaryFile('7\n'))).toThrow('line 1: expected an object with ratios and machine');
  });
});

describe('the plot of the trend', () => {
  const trend = (file: string, plot: string) =>
    spawnSync(process.execPath, [fileURLToPath(new URL('trend.mjs', bench)), file, plot], { encoding: 'utf8' });

  it('has a line and a legend for each ratio, relative to its first quiet value, on the machine of the newest entry', () => {
    const file = temporaryFile();
    const plot = `${file}.svg`;
    for (const entry of steady(3, { machine: { cpu: 'other', cores: 1 } })) appendHistory(file, entry);
    appendHistory(
      file,
      entryOf(() => 0.3, { busyShare: 0.9 }),
    );
    for (const value of [2, 2.2, 1.8])
      appendHistory(
        file,
        entryOf(() => value),
      );
    expect(trend(file, plot).status).toBe(0);
    const svg = readFileSync(plot, 'utf8');
    expect(svg.match(/<polyline/g)).toHaveLength(NAMES.length);
    expect(svg.match(/<circle/g)).toHaveLength(4 * NAMES.length);
    for (const name of NAMES) expect(svg).toContain(`font-weight="bold" fill="#222222">${name}</text>`);
    expect(svg.match(/now 1.8, -10.0 %/g)).toHaveLength(NAMES.length);
    expect(svg).toContain('EPYC &#60;&#34;&#38;&#62;, 2 cores');
    expect(svg).toContain('ratio by its first quiet value');
    expect(svg).not.toMatch(/NaN|undefined|Infinity|href|url\(/);
  });

  it('says that there is nothing to draw', () => {
    const { status, stderr } = trend(temporaryFile(''), '/nowhere/plot.svg');
    expect(status).toBe(64);
    expect(stderr).toContain('has no entry: npm run bench -- guard makes one');
  });
});
