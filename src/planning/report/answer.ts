/** The head of the page: the answer, what it rests on, and what a reader must know before using it. */
import type { Plan, Replicas } from '../plan/plan.js';
import {
  countText,
  intervalText,
  isKnown,
  moneyText,
  msText,
  numberText,
  percentText,
  plainText,
  rateText,
  settingsText,
} from './figure-text.js';
import { markup, type Markup } from './markup.js';

export const goalText = ({ goal }: Plan): string => `p${plainText(goal.percentile)} ≤ ${msText(goal.latencyMs)}`;

/** Such as "6 replicas (5 + 1 spare) sustain 2,000/s with p99 ≤ 20 ms". */
export function answerText(plan: Plan): string {
  if (plan.chosen === null || !(plan.chosen.rate.value > 0)) return `No settings meet ${goalText(plan)}`;
  if (plan.replicas === null) return `One replica sustains ${rateText(plan.chosen.rate.value)} with ${goalText(plan)}`;
  const { needed, spare, total } = plan.replicas;
  const parts = spare > 0 ? `${numberText(needed)} + ${numberText(spare)} spare` : 'no spare';
  return `${countText(total, 'replica')} (${parts}) ${total === 1 ? 'sustains' : 'sustain'} ${rateText(plan.load.rate)} with ${goalText(plan)}`;
}

export function drawAnswer(plan: Plan): Markup {
  const { model, chosen, replicas } = plan;
  const version = model.version === '' ? '' : `, version ${model.version}`;
  const reason =
    chosen === null ? whyNone(plan) : replicas === null ? `How many replicas ${rateText(plan.load.rate)} need was not worked out.` : null;
  return markup`<header>
<p class="over">Capacity plan for <b>${model.name}</b>${version}</p>
<h1>${answerText(plan)}</h1>
${reason === null ? null : markup`<p class="reason">${reason}</p>`}
${drawTiles(plan)}
${drawNotes(plan.notes)}
<section class="assumptions"><h2>What this rests on</h2>
<ul>${assumptions(plan).map((text) => markup`<li>${text}</li>`)}</ul></section>
</header>
`;
}

function whyNone({ loneRequestMs, goal, candidates }: Plan): string {
  if (loneRequestMs === null || !isKnown(loneRequestMs)) return 'Nothing was measured.';
  return loneRequestMs > goal.latencyMs
    ? `A lone request takes ${msText(loneRequestMs)}: no goal below that can be met on this machine.`
    : `A lone request takes ${msText(loneRequestMs)}, but of the ${countText(candidates.length, 'setting')} tried none sustains a rate within the goal.`;
}

function drawNotes(notes: readonly string[]): Markup | null {
  if (notes.length === 0) return null;
  return markup`<section class="notes"><h2>Before you use this</h2><ul>${notes.map((note) => markup`<li>${note}</li>`)}</ul></section>`;
}

interface Tile {
  readonly name: string;
  readonly value: string;
  readonly more: string;
}

function drawTiles(plan: Plan): Markup {
  const tiles = [...replicaTiles(plan), ...latencyTiles(plan), ...costTiles(plan)].map(
    ({ name, value, more }) => markup`<div><dt>${name}</dt><dd><b>${value}</b> <span>${more}</span></dd></div>\n`,
  );
  return markup`<dl class="tiles">${tiles}</dl>`;
}

function replicaTiles({ chosen, replicas }: Plan): Tile[] {
  if (chosen === null) return [];
  const sustains = {
    name: 'One replica sustains',
    value: rateText(chosen.rate.value),
    more: `shown to hold, and shown not to: ${intervalText(chosen.rate)}`,
  };
  if (replicas === null) return [sustains];
  const share = chosen.rate.low > 0 ? replicas.rateOfEach / chosen.rate.low : null;
  const of = isKnown(share) ? `${percentText(share)} of what it surely sustains` : 'with all up';
  return [sustains, { name: 'Each is given', value: rateText(replicas.rateOfEach), more: of }];
}

function latencyTiles({ replicas, goal, loneRequestMs }: Plan): Tile[] {
  const lone = { name: 'A lone request takes', value: msText(loneRequestMs), more: 'seen by the client' };
  if (replicas === null || !isKnown(replicas.p99Ms)) return [lone];
  const lost = isKnown(replicas.p99WithoutSpareMs) && replicas.spare > 0;
  const more = lost ? `simulated; ${msText(replicas.p99WithoutSpareMs)} with ${countText(replicas.spare, 'replica')} down` : 'simulated';
  return [
    {
      name: 'p99 at this load',
      value: msText(replicas.p99Ms),
      more: `${more}; goal ${msText(goal.latencyMs)} at p${plainText(goal.percentile)}`,
    },
  ];
}

function costTiles({ cost }: Plan): Tile[] {
  if (cost === null) return [{ name: 'Cost', value: 'not known', more: 'no price was given for this machine' }];
  const { currency, kind } = cost;
  return [
    { name: 'An hour costs', value: moneyText(cost.allPerHour, currency), more: `${moneyText(cost.perHour, currency)} for each ${kind}` },
    { name: 'A million requests cost', value: moneyText(cost.perMillionRequests, currency), more: 'at this load' },
  ];
}

function assumptions(plan: Plan): string[] {
  const { load, model, chosen, replicas, autoscaling, seed } = plan;
  const shapes = Object.entries(model.inputShapes).map(([name, shape]) => `${name}[${shape.map(plainText).join(', ')}]`);
  const found = [
    `Load: ${rateText(load.rate)} all together, ${load.arrivals} arrivals (seed ${plainText(seed)}), spread evenly over replicas.`,
    `A request: ${countText(model.rowsPerRequest, 'row')}${shapes.length > 0 ? `, inputs ${shapes.join(', ')}` : ''}.`,
    `Goal: ${goalText(plan)}, from when a request is due until the client has its answer. One without a right answer misses it.`,
  ];
  if (chosen !== null) found.push(`Settings: ${settingsText(chosen.settings)}.`);
  if (replicas !== null) found.push(...replicaAssumptions(replicas));
  if (autoscaling !== null) {
    found.push(
      `Autoscaling: ${numberText(autoscaling.least)} to ${countText(autoscaling.most, 'replica')}, one more from ${percentText(autoscaling.targetLaneBusy)} ` +
        `busy lanes (${rateText(autoscaling.targetRate)} each) on; it is ready ${numberText(autoscaling.delaySeconds)} s later, as assumed.`,
    );
  }
  return [...found, 'Every replica has a machine like the one measured, for itself.'];
}

function replicaAssumptions({ headroom, spare }: Replicas): string[] {
  const free = headroom > 0 ? percentText(headroom) : 'nothing';
  const counted = `A replica counts with the lower end of its interval, and ${free} of that stays free.`;
  const failures =
    spare > 0
      ? `${countText(spare, 'replica')} may fail at one time without the goal being missed.`
      : 'No replica may fail: there is no spare.';
  return [counted, failures];
}
