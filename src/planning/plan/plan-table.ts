/** A plan for the terminal: what was measured, what is chosen, how many, and what they cost. */
import type { Estimate } from '../estimate.js';
import { settingsName, type ServerSettings } from '../server-settings.js';
import type { Plan, PlanCandidate } from './plan.js';

const WIDTH = 14;
/** Of the candidates, the best ones: the rest is in plan.json. */
const MOST_CANDIDATES = 6;

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
  if (chosen === null || chosen.rate.value === 0) return [row('answer', 'no settings meet the goal on this machine')];
  const lines = [
    row('settings', settingsText(chosen.settings)),
    row(
      'one replica',
      `${interval(chosen.rate)} requests per second${plan.knee === null ? '' : `; latency rises steeply from ${figure(plan.knee)}`}`,
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
    );
  }
  if (autoscaling !== null) {
    const { least, most, targetRate, targetLaneBusy } = autoscaling;
    lines.push(
      row(
        'autoscaling',
        `${least} to ${most} replicas, one more from ${figure(targetRate)}/s each (lanes ${percent(targetLaneBusy)} busy)`,
      ),
    );
  }
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

export function settingsText({ maxBatchSize, lanes, maxQueueDelayUs, cpuThreads }: ServerSettings): string {
  const batch = maxBatchSize > 1 ? `batches up to ${maxBatchSize}` : 'no batches';
  const delay = maxQueueDelayUs === null ? '' : `, delay ${maxQueueDelayUs} us`;
  return `${batch}, ${counted(lanes, 'lane')}, ${counted(cpuThreads, 'thread')}${delay}`;
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
