import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../../src/planning/plan/plan.js';
import { reportHtml } from '../../../../src/planning/report/report-html.js';
import { HOPELESS_PLAN, LARGE_PLAN, SHORT_PLAN, WHOLE_PLAN } from '../../../support/plan-fixture.js';

const PLANS = { whole: WHOLE_PLAN, hopeless: HOPELESS_PLAN, short: SHORT_PLAN, large: LARGE_PLAN };
const NO_FIGURE = /NaN|undefined|Infinity|null|\[object/;

const count = (html: string, pattern: RegExp): number => [...html.matchAll(new RegExp(pattern, 'g'))].length;
/** What a reader sees, without the style sheet. */
const textOf = (html: string): string =>
  html
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

/** The first tag that is closed by another, or '' where all are closed in their order. */
function firstWrongTag(html: string): string {
  const open: string[] = [];
  for (const [, slash, name = '', rest = ''] of html.replace('<!doctype html>', '').matchAll(/<(\/?)([a-z0-9]+)([^>]*)>/g)) {
    if (slash === '/') {
      if (open.pop() !== name) return name;
    } else if (!rest.endsWith('/') && !['meta', 'link'].includes(name)) open.push(name);
  }
  return open.at(-1) ?? '';
}

/** The same with `value` at the place that `keys` lead to. */
function withValue(of: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const entries = Object.entries(of as object).map(([name, part]) => [
    name,
    name === key ? withValue(part, rest, value) : (part as unknown),
  ]);
  return Array.isArray(of) ? entries.map(([, part]) => part) : Object.fromEntries(entries);
}

/** The places of all values of a kind. */
function places(of: unknown, kind: 'number' | 'string', keys: readonly string[] = []): string[][] {
  if (typeof of === kind) return [[...keys]];
  if (typeof of !== 'object' || of === null) return [];
  return Object.entries(of).flatMap(([key, part]) => places(part, kind, [...keys, key]));
}

/** With all that a plan can hold, and no more than one of each. */
const SMALL_PLAN: Plan = {
  ...WHOLE_PLAN,
  curve: WHOLE_PLAN.curve.slice(0, 2),
  candidates: WHOLE_PLAN.candidates.slice(0, 3),
  batches: WHOLE_PLAN.batches.slice(0, 2),
  predictions: WHOLE_PLAN.predictions.slice(0, 2),
  replicasByLoad: WHOLE_PLAN.replicasByLoad.slice(0, 2),
};

describe('the page of a plan', () => {
  it.each(Object.entries(PLANS))('is whole and refers to nothing outside itself (%s)', (_, plan) => {
    const html = reportHtml(plan);
    expect(firstWrongTag(html)).toBe('');
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`.replaceAll("'", '&#39;'));
    expect(html).not.toMatch(/https?:|["'(]\/\/|url\(|@import|<script|\son\w+=/);
    expect([...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, target]) => target)).toEqual(['data:,']);
    const ids = [...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(Object.entries(PLANS))('shows a figure, or that there is none (%s)', (_, plan) => {
    expect(reportHtml(plan).replace(/<style>[\s\S]*?<\/style>/, '')).not.toMatch(NO_FIGURE);
  });

  it('begins with the answer', () => {
    expect(textOf(reportHtml(WHOLE_PLAN))).toContain(' 7 replicas (6 + 1 spare) sustain 5,000/s with p99 ≤ 20 ms ');
    expect(textOf(reportHtml(SHORT_PLAN))).toContain(' 1 replica (no spare) sustains 50/s with p99 ≤ 20 ms ');
    expect(textOf(reportHtml({ ...WHOLE_PLAN, replicas: null }))).toContain(' One replica sustains 1,184/s with p99 ≤ 20 ms ');
    expect(textOf(reportHtml(HOPELESS_PLAN))).toContain(
      ' No settings meet p99 ≤ 0.5 ms A lone request takes 0.914 ms: no goal below that ',
    );
  });

  it('draws six plots, each for wide and for narrow pages, with a name, a description, a key and its figures', () => {
    const html = reportHtml(WHOLE_PLAN);
    expect(count(html, /<figure>/)).toBe(6);
    for (const size of ['wide', 'narrow']) {
      expect(
        count(
          html,
          new RegExp(`<svg class="plot ${size}"[^>]*role="img"[^>]*><title id="[^"]+">[^<]+</title><desc id="[^"]+">[^<]+</desc>`),
        ),
      ).toBe(6);
    }
    expect(count(html, /<ul class="key"><li>/)).toBe(6);
    expect(count(html, /<details><summary>Figures of “/)).toBe(6);
  });

  it('shows every figure of the plan in a table', () => {
    const text = textOf(reportHtml(WHOLE_PLAN));
    for (const row of [
      '1,480/s 1,322/s 241 ms 404 ms – 1,893',
      '16 2 1 adaptive 1,184 1,148 to 1,220 7 chosen',
      '16 2 1 500 µs 1,163 1,128 to 1,198 7',
      '4 4 1 adaptive 540 – 2 given up early',
      'batches of up to 8, 4 lanes, 1 thread 955/s 926 to 984 1,031/s +8 % beyond',
      '5,500/s 7 replicas',
      '5,500/s 0.67 EUR an hour',
      'memory 7.75 GiB',
    ]) {
      expect(text).toContain(row);
    }
  });

  it('marks what was given up, what was chosen, and the best over what the heat map does not show', () => {
    const html = reportHtml(WHOLE_PLAN);
    expect(count(html, /<g class="cell given-up">/)).toBe(2 * 4);
    expect(count(html, /<rect class="chosen" [^>]*rx="3"/)).toBe(2);
    const cells = [...html.matchAll(/<g class="cell [^>]*>.*?<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
    // 902 and not 871: with two threads.
    expect(cells).toContain('902');
    expect(cells).not.toContain('871');
    expect(cells).toHaveLength(2 * 14);
  });

  it('says in a sentence what a plan lacks', () => {
    const text = textOf(reportHtml(HOPELESS_PLAN));
    for (const sentence of [
      'No settings meet the goal, so that no curve was measured.',
      'No settings meet the goal: no number of replicas would.',
      'No settings were measured.',
      'No run was counted at the highest sustained rate.',
      'Too few settings were measured to the end to compare predictions with them.',
      'No price is known for this machine',
      'No model of the server was fitted: too little was measured.',
    ]) {
      expect(text).toContain(sentence);
    }
    expect(count(reportHtml(HOPELESS_PLAN), /<svg/)).toBe(0);
  });

  it('says where the knee is, that it was not reached, or that too little is known', () => {
    expect(textOf(reportHtml(WHOLE_PLAN))).toContain('Beyond 1,092/s latency rises steeply.');
    expect(textOf(reportHtml({ ...WHOLE_PLAN, knee: null }))).toContain('latency does not begin to rise steeply');
    expect(textOf(reportHtml(SHORT_PLAN))).toContain('Too few loads were measured to tell');
  });

  it('takes no text of a plan as markup', () => {
    const hostile = `"'><script>alert(1)</script>&`;
    for (const keys of places(SMALL_PLAN, 'string')) {
      const html = reportHtml(withValue(SMALL_PLAN, keys, hostile) as Plan);
      expect(html, keys.join('.')).not.toContain('<script');
      expect(firstWrongTag(html), keys.join('.')).toBe('');
    }
    const shown = reportHtml({ ...WHOLE_PLAN, notes: [hostile] });
    expect(shown).toContain('<li>&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;</li>');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 0, -1])('stays a page of figures when any one figure of the plan is %d', (value) => {
    for (const keys of places(SMALL_PLAN, 'number')) {
      const html = reportHtml(withValue(SMALL_PLAN, keys, value) as Plan).replace(/<style>[\s\S]*?<\/style>/, '');
      expect(NO_FIGURE.exec(html)?.[0], keys.join('.')).toBeUndefined();
      expect(/(?:width|height)="-/.exec(html)?.[0], keys.join('.')).toBeUndefined();
    }
  });
});
