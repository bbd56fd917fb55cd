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
  readonly ratios: Readonly<Record<string, { readonly median: number; readonly low: number; readonly high: number }>>;
}
interface History {
  readonly judge: (entry: Entry, history: readonly Entry[]) => { compared: number; fallen: readonly { name: string; usual: number }[] };
  readonly readHistory: (file: string) => readonly Entry[];
  readonly appendHistory: (file: string, entry: Entry) => void;
}

const bench = new URL('../../../bench/', import.meta.url);
const { judge, readHistory, appendHistory } = (await import(new URL('measure/guard-history.mjs', bench).href)) as History;

const TRIALS = 4000;
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const machine = { cpu: 'EPYC <"&>', cores: 2 };
function entryOf(value: (name: string) => number, other: Partial<Entry> = {}): Entry {
  const ratios = Object.fromEntries(NAMES.map((name) => [name, { median: value(name), low: 0.1, high: 9 }]));
  return { date: '2026-11-21T12:00:00Z', commit: '1234567', machine, busyShare: 0.01, ratios, ...other };
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
    expect([compared, fallen]).toEqual([6, [{ name: 'b', value: 0.9, usual: 1, limit: 0.95 }]]);
  });

  it('compares with quiet entries of the same machine kind only, five at least', () => {
    const low = entryOf(() => 0.5);
    expect(judge(low, steady(4)).compared).toBe(0);
    expect(judge(low, [...steady(4), ...steady(9, { busyShare: 0.5 })]).compared).toBe(0);
    expect(judge(low, [...steady(4), ...steady(9, { machine: { ...machine, cores: 64 } })]).compared).toBe(0);
    expect(judge(low, steady(40))).toMatchObject({ compared: 10, fallen: NAMES.map((name) => ({ name })) });
  });

  it('reads what it has written, and names the line that is no entry', () => {
    const file = temporaryFile();
    expect(readHistory(file)).toEqual([]);
    for (const entry of steady(2)) appendHistory(file, entry);
    expect(readHistory(file)).toEqual(steady(2));
    expect(() => readHistory(temporaryFile('{"ratios": {}, "machine": {}}\n\n{"ratios": '))).toThrow('line 3: is not JSON');
    expect(() => readHistory(temporaryFile('7\n'))).toThrow('line 1: expected an object with ratios and machine');
  });
});

describe('the plot of the trend', () => {
  const trend = (file: string, plot: string) =>
    spawnSync(process.execPath, [fileURLToPath(new URL('trend.mjs', bench)), file, plot], { encoding: 'utf8' });

  it('has a line and a legend for each ratio, relative to its first value, on the machine of the newest entry', () => {
    const file = temporaryFile();
    const plot = `${file}.svg`;
    for (const entry of steady(3, { machine: { cpu: 'other', cores: 1 } })) appendHistory(file, entry);
    for (const value of [2, 2.2, 1.8])
      appendHistory(
        file,
        entryOf(() => value),
      );
    expect(trend(file, plot).status).toBe(0);
    const svg = readFileSync(plot, 'utf8');
    expect(svg.match(/<polyline/g)).toHaveLength(NAMES.length);
    expect(svg.match(/<circle/g)).toHaveLength(3 * NAMES.length);
    for (const name of NAMES) expect(svg).toContain(`font-weight="bold" fill="#222222">${name}</text>`);
    expect(svg.match(/now 1.8, -10.0 %/g)).toHaveLength(NAMES.length);
    expect(svg).toContain('EPYC &#60;&#34;&#38;&#62;, 2 cores');
    expect(svg).toContain('ratio by its first value');
    expect(svg).not.toMatch(/NaN|undefined|Infinity|href|url\(/);
  });

  it('says that there is nothing to draw', () => {
    const { status, stderr } = trend(temporaryFile(''), '/nowhere/plot.svg');
    expect(status).toBe(64);
    expect(stderr).toContain('has no entry: npm run bench -- guard makes one');
  });
});
