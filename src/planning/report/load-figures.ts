/** How latency, replicas and cost follow the load. */
import type { CurvePoint, Plan, PlanCandidate } from '../plan/plan.js';
import { goalText, sustainedText, whyNoSettings } from './answer.js';
import { drawAbsence, drawFigure, missingKey, referenceKey, seriesKey, stepKey } from './figure.js';
import { countText, isKnown, moneyText, msText, numberText, rateText } from './figure-text.js';
import { linePlot, type LinePoint, type LineSeries, type ReferenceLine } from './line-plot.js';
import type { Markup } from './markup.js';

const PERCENTILES = [
  { name: 'p50', of: ({ p50Ms }: CurvePoint): number | null => p50Ms, style: 0 },
  { name: 'p90', of: ({ p90Ms }: CurvePoint): number | null => p90Ms, style: 1 },
  { name: 'p99', of: ({ p99Ms }: CurvePoint): number | null => p99Ms, style: 2 },
] as const;

/** A straight axis shows these many times the least as well as the least. */
const MAX_LINEAR_SPREAD = 12;

export function latencyFigure(plan: Plan): Markup {
  const title = 'Latency as the load of one replica rises';
  if (plan.chosen === null) return drawAbsence(title, `${whyNoSettings(plan)}, so that no curve was measured.`);
  const points = plan.curve.filter(({ rateWanted }) => isKnown(rateWanted)).toSorted((a, b) => a.rateWanted - b.rateWanted);
  const latencies = PERCENTILES.flatMap(({ of }) => points.map(of)).filter(isKnown);
  if (latencies.length === 0)
    return drawAbsence(title, 'The curve was not measured, or no load had enough right answers to give a latency.');
  const best = plan.chosen.rate.value;
  const hasBest = isKnown(best) && best > 0;
  const references: ReferenceLine[] = [{ axis: 'y', at: plan.goal.latencyMs, text: 'goal', kind: 'goal' }];
  if (isKnown(plan.knee)) references.push({ axis: 'x', at: plan.knee, text: 'knee', kind: 'knee' });
  if (hasBest) references.push({ axis: 'x', at: best, text: 'max', kind: 'best' });
  const isLost = points.some((point) => PERCENTILES.some(({ of }) => !isKnown(of(point))));
  const says = `${kneeText(plan.knee, points.length)}${hasBest ? metText(plan.chosen) : ''}`;
  const spread = Math.max(...latencies, plan.goal.latencyMs) / Math.min(...latencies, plan.goal.latencyMs);
  return drawFigure({
    title,
    says,
    key: [
      ...PERCENTILES.map(({ name, style }) => ({ swatch: seriesKey(style), text: name })),
      { swatch: referenceKey('goal'), text: `goal: ${goalText(plan)}` },
      ...(isKnown(plan.knee) ? [{ swatch: referenceKey('knee'), text: `knee: ${rateText(plan.knee)}` }] : []),
      ...(hasBest ? [{ swatch: referenceKey('best'), text: `highest sustained rate: ${sustainedText(plan.chosen)}` }] : []),
      ...(isLost ? [{ swatch: missingKey(), text: 'too many requests without a right answer' }] : []),
    ],
    draw: (size) =>
      linePlot(
        {
          id: 'latency',
          name: title,
          description: says,
          xTitle: 'requests per second, asked of one replica',
          yTitle: spread > MAX_LINEAR_SPREAD ? 'latency in ms (log scale)' : 'latency in ms',
          yScale: spread > MAX_LINEAR_SPREAD ? 'log' : 'linear',
          yIsWhole: false,
          series: PERCENTILES.map(({ style, of, name }) => ({
            style,
            shape: 'line',
            points: points.map((point) => linePoint(point, of, name)),
          })),
          references,
        },
        size,
      ),
    table: {
      head: ['asked for', 'answered', 'p50', 'p90', 'p99', 'misses'],
      rows: points.map((point) => [
        rateText(point.rateWanted),
        rateText(point.rateAnswered),
        ...PERCENTILES.map(({ of }) => msText(of(point))),
        numberText(point.misses),
      ]),
    },
  });
}

const metText = (chosen: PlanCandidate): string =>
  chosen.rate.low > 0
    ? ` The goal is met up to ${rateText(chosen.rate.value)}.`
    : ` The goal seems to be met up to ${sustainedText(chosen)}, which is not confirmed.`;

/** Fewer points show no course. */
const MIN_CURVE_POINTS = 4;

function kneeText(knee: number | null, points: number): string {
  if (isKnown(knee)) return `Beyond ${rateText(knee)} latency rises steeply.`;
  return points < MIN_CURVE_POINTS
    ? 'Too few loads were measured to tell where latency begins to rise steeply.'
    : 'Up to the highest load that was measured, latency does not begin to rise steeply.';
}

function linePoint(point: CurvePoint, of: (point: CurvePoint) => number | null, name: string): LinePoint {
  const latency = of(point);
  const says = isKnown(latency) ? msText(latency) : 'none, too many requests have no right answer';
  return { x: point.rateWanted, y: isKnown(latency) ? latency : null, says: `at ${rateText(point.rateWanted)}: ${name} ${says}` };
}

export function replicasFigure(plan: Plan): Markup {
  const title = 'Replicas as the load rises';
  const loads = loadsOf(plan, ({ replicas }) => replicas);
  if (loads.length === 0) return drawAbsence(title, noLoads(plan));
  const total = plan.replicas?.total;
  const says =
    total === undefined
      ? 'How many replicas each load needs, spare ones included.'
      : `The planned load of ${rateText(plan.load.rate)} needs ${countText(total, 'replica')}, spare ones included.`;
  return stepFigure(plan, {
    id: 'replicas',
    title,
    says,
    yTitle: 'replicas, spare ones included',
    yIsWhole: true,
    loads,
    shown: (value) => countText(value, 'replica'),
    head: 'replicas',
  });
}

export function costFigure(plan: Plan): Markup {
  const title = 'Cost as the load rises';
  if (plan.cost === null)
    return drawAbsence(title, 'No price is known for this machine, so that nothing is said of cost. Prices are an input of the plan.');
  const { currency, kind, allPerHour, perMillionRequests } = plan.cost;
  const loads = loadsOf(plan, ({ costPerHour }) => costPerHour);
  if (loads.length === 0) return drawAbsence(title, noLoads(plan));
  const each = `${moneyText(perMillionRequests, currency)} for a million requests`;
  return stepFigure(plan, {
    id: 'cost',
    title,
    says: `The planned load costs ${moneyText(allPerHour, currency)} an hour, ${each} (${kind}).`,
    yTitle: `${currency} an hour`,
    yIsWhole: false,
    loads,
    shown: (value) => `${moneyText(value, currency)} an hour`,
    head: 'cost of an hour',
  });
}

interface LoadValue {
  readonly rate: number;
  readonly value: number;
}

function loadsOf(plan: Plan, of: (load: Plan['replicasByLoad'][number]) => number | null): LoadValue[] {
  const found = plan.replicasByLoad.map((load) => ({ rate: load.rate, value: of(load) }));
  const known = found.filter((load): load is LoadValue => isKnown(load.rate) && isKnown(load.value));
  return known.toSorted((a, b) => a.rate - b.rate);
}

function noLoads(plan: Plan): string {
  return plan.chosen === null
    ? `${whyNoSettings(plan)}, so that no number of replicas is known.`
    : 'It was not worked out for other loads.';
}

interface StepFigure {
  readonly id: string;
  readonly title: string;
  readonly says: string;
  readonly yTitle: string;
  readonly yIsWhole: boolean;
  readonly loads: readonly LoadValue[];
  readonly shown: (value: number) => string;
  /** Of the table's column. */
  readonly head: string;
}

/** Of sums of rates: a load that is just carried stands on its step. */
const ROUNDING = 1e-9;

function stepFigure({ load }: Plan, { id, title, says, yTitle, yIsWhole, loads, shown, head }: StepFigure): Markup {
  const jumps = loads.map(({ rate, value }) => ({ x: rate, y: value, says: `up to ${rateText(rate)}: ${shown(value)}` }));
  // The first step begins where there is no load.
  const points = jumps
    .slice(0, 1)
    .map((first) => ({ ...first, x: 0 }))
    .concat(jumps);
  // The last load of each step: more say nothing.
  const levels = loads.filter(({ value }, i) => value !== loads[i + 1]?.value);
  const planned = loads.find(({ rate }) => rate >= load.rate * (1 - ROUNDING));
  const dot = planned === undefined ? [] : [{ x: load.rate, y: planned.value, says: `${rateText(load.rate)}: ${shown(planned.value)}` }];
  const series: readonly LineSeries[] = [
    { style: 0, shape: 'step', points },
    { style: 1, shape: 'line', points: dot },
  ];
  const references: readonly ReferenceLine[] = [
    { axis: 'x', at: load.rate, text: planned === undefined ? 'planned load' : shown(planned.value), kind: 'today' },
  ];
  return drawFigure({
    title,
    says,
    key: [
      { swatch: stepKey(), text: yTitle },
      { swatch: referenceKey('today'), text: `planned load: ${rateText(load.rate)}` },
    ],
    draw: (size) =>
      linePlot(
        {
          id,
          name: title,
          description: says,
          xTitle: 'requests per second, all together',
          yTitle,
          yScale: 'linear',
          yIsWhole,
          series,
          references,
        },
        size,
      ),
    table: { head: ['up to', head], rows: levels.map(({ rate, value }) => [rateText(rate), shown(value)]) },
  });
}
