import { describe, expect, it } from 'vitest';
import type { Plan, PlanCandidate } from '../../../../src/planning/plan/plan.js';
import { reportHtml } from '../../../../src/planning/report/report-html.js';
import { EMPTY_PLAN, HOPELESS_PLAN, LARGE_PLAN, SHORT_PLAN, STOPPED_PLAN, WHOLE_PLAN } from '../../../support/plan-fixture.js';

const PLANS = {
  whole: WHOLE_PLAN,
  hopeless: HOPELESS_PLAN,
  short: SHORT_PLAN,
  large: LARGE_PLAN,
  empty: EMPTY_PLAN,
  stopped: STOPPED_PLAN,
};
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

  it('does not say that no settings meet the goal when the search was stopped', () => {
    const empty = textOf(reportHtml(EMPTY_PLAN));
    expect(empty).toContain(' Nothing was measured The search ended before its first measurement. ');
    const stopped = textOf(reportHtml(STOPPED_PLAN));
    expect(stopped).toContain(
      ' The search did not come to its end A lone request takes 0.914 ms, but no settings were measured to the end; ',
    );
    expect(stopped).toContain('The search ended before it had found settings that meet the goal, so that no curve was measured.');
    for (const text of [empty, stopped]) expect(text).not.toMatch(/[Nn]o settings meet|tried none|takes (0|–) /);
    const found = textOf(reportHtml({ ...WHOLE_PLAN, isComplete: false }));
    expect(found).toContain('The search did not come to its end: settings that were not tried may be better.');
    expect(found).toContain('Best so far: batches up to 16');
    const whole = textOf(reportHtml({ ...STOPPED_PLAN, isComplete: true }));
    expect(whole).toContain(' No settings meet p99 ≤ 20 ms A lone request takes 0.914 ms, but of the 1 setting tried none sustains ');
  });

  it('promises no rate that no interval has confirmed', () => {
    const rate = { value: 1184, low: 0, high: 1500 };
    const chosen = { ...(WHOLE_PLAN.chosen as PlanCandidate), rate };
    const text = textOf(reportHtml({ ...WHOLE_PLAN, chosen, replicas: null }));
    expect(text).toContain(' One replica sustains about 1,184/s with p99 ≤ 20 ms, not confirmed ');
    expect(text).toContain('The goal seems to be met up to about 1,184/s, which is not confirmed.');
    expect(text).not.toContain('sustains 1,184/s');
    expect(text).not.toContain('met up to 1,184/s');
  });

  it('says by what replicas are added, whether that is soon enough, and what a failure loses', () => {
    const text = textOf(reportHtml(WHOLE_PLAN));
    expect(text).toContain('one more when each gets over 918/s (lanes are 68 % busy then; ');
    expect(text).toContain('may grow by 0.4 % a second: the goal is met meanwhile (p99 15.2 ms, simulated).');
    expect(text).toContain('3 requests in flight there would be lost');
    expect(text).toContain('spread over replicas by chance');
    const { autoscaling } = WHOLE_PLAN;
    const ramp = { growthPerSecond: 0.004, p99Ms: null, missShare: 0.4, isMet: false };
    const late = reportHtml({ ...WHOLE_PLAN, autoscaling: autoscaling && { ...autoscaling, ramp } });
    expect(textOf(late)).toContain('the goal is missed meanwhile (too many requests have no right answer, simulated).');
  });

  it('draws each step of replicas from the load before it to its own, the first one from none', () => {
    const html = reportHtml(WHOLE_PLAN);
    const svg = /<svg class="plot wide"[^>]*aria-labelledby="replicas-wide-name.*?<\/svg>/.exec(html)?.[0] ?? '';
    const left = Number(/<line class="base" x1="([\d.]+)"/.exec(svg)?.[1]);
    const line = /<g class="series-0"><path class="line" d="M([^"]*)"/.exec(svg)?.[1] ?? '';
    const points = line.split('L').map((point) => point.split(',').map(Number));
    expect(points[0]?.[0]).toBe(left);
    // One for each of 21 numbers of replicas: along, and up to the next.
    const edges = [...new Set(points.map(([x]) => x))];
    expect(edges).toHaveLength(22);
    const widths = edges.slice(1).map((edge, i) => (edge ?? 0) - (edges[i] ?? 0));
    expect(Math.max(...widths) - Math.min(...widths)).toBeLessThan(0.1);
  });

  it('puts a load that a number of replicas just carries on the step of that number', () => {
    const each = 0.1;
    const replicasByLoad = [1, 2, 3, 4].map((replicas) => ({ rate: replicas * each * (1 - 2 ** -53), replicas, costPerHour: null }));
    const html = reportHtml({ ...WHOLE_PLAN, load: { rate: 0.3, arrivals: 'poisson' }, replicasByLoad });
    expect(html).toContain('<title>0.3/s: 3 replicas</title>');
  });

  it('has no key for a line that is not drawn', () => {
    const chosen = { ...(WHOLE_PLAN.chosen as PlanCandidate), rate: { value: 0, low: 0, high: 0 } };
    expect(textOf(reportHtml({ ...WHOLE_PLAN, chosen, replicas: null }))).not.toContain('highest sustained rate:');
    expect(textOf(reportHtml(WHOLE_PLAN))).toContain('highest sustained rate: 1,184/s');
  });

  it('has a name for every table that scrolls and no gap in its headings', () => {
    const html = reportHtml(WHOLE_PLAN);
    const tables = [...html.matchAll(/<div class="table"[^>]*>/g)].map(([tag]) => tag);
    expect(tables).toHaveLength(7);
    for (const tag of tables) expect(tag).toMatch(/ role="region" aria-label="Figures of [^"]+"/);
    const levels = [...html.matchAll(/<h(\d)/g)].map(([, level]) => Number(level));
    expect(levels.filter((level, i) => level > (levels[i - 1] ?? 0) + 1)).toEqual([]);
    expect(html.indexOf('<h2>What was found</h2>')).toBeLessThan(html.indexOf('<div class="plots">'));
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
      '16 2 1 500 us 1,163 1,128 to 1,198 7',
      '4 4 1 adaptive 540 – 2 given up early',
      'batches up to 8, 4 lanes, 1 thread 955/s 926 to 984 1,031/s +8 % beyond',
      '5,508/s 7 replicas',
      '5,508/s 0.67 EUR an hour',
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
      'No settings meet the goal, so that no number of replicas is known.',
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
    // Settings are those that a server ran with.
    const isPossible = (keys: readonly string[]): boolean => Number.isFinite(value) || !keys.includes('settings');
    for (const keys of places(SMALL_PLAN, 'number').filter(isPossible)) {
      const html = reportHtml(withValue(SMALL_PLAN, keys, value) as Plan).replace(/<style>[\s\S]*?<\/style>/, '');
      expect(NO_FIGURE.exec(html)?.[0], keys.join('.')).toBeUndefined();
      expect(/(?:width|height)="-/.exec(html)?.[0], keys.join('.')).toBeUndefined();
    }
  });
});
