/** A plan for the terminal: what was measured, what is chosen, how many, and what they cost. */
import type { Estimate } from '../estimate.js';
import { settingsName, type ServerSettings } from '../server-settings.js';
import { autoscalerTargets } from './autoscaler-targets.js';
import { verdictOf, type Verdict } from './plan-verdict.js';
import type { Autoscaling, Plan, PlanCandidate } from './plan.js';

const WIDTH = 14;
/** Of the candidates, the best ones: the rest is in plan.json. */
const MOST_CANDIDATES = 6;

/** To the question how many. */
const ANSWERS: Readonly<Record<Verdict, string>> = {
  chosen: '',
  'not-measured': 'none: no settings were measured',
  'below-lone-request': 'none: a lone request takes longer than the goal',
  'none-meets-goal': 'no settings meet the goal on this machine',
  'not-found': 'not known: the search ended before it found settings that meet the goal',
};

export function planTable(plan: Plan): string {
  const { model, goal, load, notes } = plan;
  const shapes = Object.entries(model.inputShapes).map(([name, shape]) => `${name}[${shape.join(',')}]`);
  const lines = [
    `${model.name} version ${model.version}: ${shapes.join(' ')}, ${load.arrivals} arrivals`,
    row(
      'goal',
      `p${goal.percentile} within ${milliseconds(goal.latencyMs)}${plan.loneRequestMs === null ? '' : `; a lone request takes ${milliseconds(plan.loneRequestMs)}`}`,
    ),
    '',
    ...candidateRows(plan),
    '',
    ...answerRows(plan),
    ...notes.map((note) => `note: ${note}`),
  ];
  return lines.join('\n');
}

function row(name: string, text: string): string {
  return `${name.padEnd(WIDTH)}${text}`;
}

function candidateRows({ candidates, chosen }: Plan): string[] {
  const isChosen = ({ settings }: PlanCandidate): boolean => chosen !== null && settingsName(settings) === settingsName(chosen.settings);
  const order = (a: PlanCandidate, b: PlanCandidate): number => Number(isChosen(b)) - Number(isChosen(a)) || b.rate.value - a.rate.value;
  const best = [...candidates].sort(order).slice(0, MOST_CANDIDATES);
  if (best.length === 0) return ['no settings were measured'];
  const more = candidates.length - best.length;
  return [
    'requests per second within the goal, by settings',
    ...best.map(
      (candidate) => `  ${settingsText(candidate.settings).padEnd(44)} ${rateText(candidate)}${isChosen(candidate) ? '  <- chosen' : ''}`,
    ),
    ...(more > 0 ? [`  ${more} more in plan.json`] : []),
  ];
}

function rateText({ rate, state }: PlanCandidate): string {
  if (state === 'unfinished' || state === 'died') return state;
  if (state === 'given-up') return `below ${figure(rate.high)}, given up`;
  return rate.value === 0 ? 'none' : interval(rate);
}

function answerRows(plan: Plan): string[] {
  const { chosen, replicas, autoscaling, cost, load } = plan;
  const verdict = verdictOf(plan);
  if (chosen === null || verdict !== 'chosen') return [row('answer', ANSWERS[verdict])];
  const lines = [
    row('settings', `${settingsText(chosen.settings)}${plan.isComplete ? '' : ' (the best so far: the search did not end)'}`),
    row(
      'one replica',
      `${interval(chosen.rate)} requests per second${chosen.rate.low > 0 ? '' : ', not confirmed'}${plan.knee === null ? '' : `; latency rises steeply from ${figure(plan.knee)}`}`,
    ),
  ];
  if (replicas !== null) {
    const after = [
      `all up: ${atP99(replicas.p99Ms)}`,
      ...(replicas.spare > 0 ? [`${replicas.spare} down: ${atP99(replicas.p99WithoutSpareMs)}`] : []),
    ];
    lines.push(
      row(
        'replicas',
        `${replicas.total} for ${figure(load.rate)}/s: ${replicas.needed} and ${replicas.spare} to spare, ${percent(replicas.headroom)} headroom`,
      ),
      row('', `${figure(replicas.rateOfEach)}/s each; simulated, ${after.join(', ')}`),
      ...(replicas.lostWithSpare > 0
        ? [row('', `requests lost with ${replicas.spare} that die at one moment: ${replicas.lostWithSpare}`)]
        : []),
    );
  }
  if (autoscaling !== null) lines.push(...autoscalingRows(plan, autoscaling));
  if (cost !== null) {
    const money = (value: number): string => `${value < 1 ? value.toPrecision(2) : value.toFixed(2)} ${cost.currency}`;
    lines.push(
      row(
        'cost',
        `${money(cost.allPerHour)} an hour (${cost.kind}, ${money(cost.perHour)} each), ${money(cost.perMillionRequests)} for a million requests`,
      ),
    );
  }
  return lines;
}

function autoscalingRows(plan: Plan, { least, most, ramp, delaySeconds }: Autoscaling): string[] {
  const targets = autoscalerTargets(plan);
  if (targets === null) return [];
  const p95 = targets.p95Ms === null ? '' : `, or a p95 of ${milliseconds(targets.p95Ms)}`;
  const growth = `${figure(100 * ramp.growthPerSecond)} % a second until the next one is ready (${figure(delaySeconds)} s)`;
  return [
    row(
      'autoscaling',
      `${least} to ${most} replicas, one more from ${figure(targets.rate)}/s or ${targets.queue} waiting requests each${p95}`,
    ),
    row('', `a load that rises by ${growth}: ${ramp.isMet ? 'the goal is met' : 'the goal is missed'}, ${atP99(ramp.p99Ms)}`),
  ];
}

export function settingsText({ maxBatchSize, lanes, maxQueueDelayUs, cpuThreads, precision }: ServerSettings): string {
  const batch = maxBatchSize > 1 ? `batches up to ${maxBatchSize}` : 'no batches';
  const delay = maxQueueDelayUs === null ? '' : `, delay ${maxQueueDelayUs} us`;
  return `${batch}, ${counted(lanes, 'lane')}, ${counted(cpuThreads, 'thread')}${delay}${precision === undefined ? '' : `, ${precision.toUpperCase()}`}`;
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

function interval({ value, low, high }: Estimate): string {
  return `${figure(value)} (${figure(low)} to ${figure(high)})`;
}

function atP99(value: number | null): string {
  return value === null ? 'p99 never' : `p99 ${milliseconds(value)}`;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function milliseconds(value: number): string {
  return `${Number(value.toPrecision(3))} ms`;
}
