/** The head of the page: the answer, what it rests on, and what a reader must know before using it. */
import { settingsText } from '../plan/plan-table.js';
import type { Autoscaling, Plan, PlanCandidate, Replicas } from '../plan/plan.js';
import { countText, intervalText, isKnown, moneyText, msText, numberText, percentText, plainText, rateText } from './figure-text.js';
import { markup, type Markup } from './markup.js';

export const goalText = ({ goal }: Plan): string => `p${plainText(goal.percentile)} ≤ ${msText(goal.latencyMs)}`;

/** Such as "6 replicas (5 + 1 spare) sustain 2,000/s with p99 ≤ 20 ms". */
export function answerText(plan: Plan): string {
  const { chosen, replicas, load } = plan;
  if (chosen === null || !(chosen.rate.value > 0)) return noAnswer(plan);
  if (replicas === null) return `One replica sustains ${sustainedText(chosen)} with ${goalText(plan)}${confirmation(chosen)}`;
  const { needed, spare, total } = replicas;
  const parts = spare > 0 ? `${numberText(needed)} + ${numberText(spare)} spare` : 'no spare';
  const sustain = total === 1 ? 'sustains' : 'sustain';
  return `${countText(total, 'replica')} (${parts}) ${sustain} ${rateText(load.rate)} with ${goalText(plan)}${confirmation(chosen)}`;
}

/** Such as "1,184/s"; "about" where no interval has confirmed it. */
export const sustainedText = ({ rate }: PlanCandidate): string => `${rate.low > 0 ? '' : 'about '}${rateText(rate.value)}`;

const confirmation = ({ rate }: PlanCandidate): string => (rate.low > 0 ? '' : ', not confirmed');

/** That settings meet the goal is ruled out only by a search that came to its end, or by a lone request. */
function noAnswer(plan: Plan): string {
  if (!wasMeasured(plan)) return 'Nothing was measured';
  return plan.isComplete || isBelowLoneRequest(plan) ? `No settings meet ${goalText(plan)}` : 'The search did not come to its end';
}

const wasMeasured = ({ loneRequestMs, candidates }: Plan): boolean => isKnown(loneRequestMs) || candidates.some(({ trials }) => trials > 0);
const isBelowLoneRequest = ({ loneRequestMs, goal }: Plan): boolean => isKnown(loneRequestMs) && loneRequestMs > goal.latencyMs;

/** Where a plan has no settings: why, as the beginning of a sentence or as one. */
export function whyNoSettings(plan: Plan): string {
  if (!wasMeasured(plan)) return 'Nothing was measured';
  return plan.isComplete || isBelowLoneRequest(plan)
    ? 'No settings meet the goal'
    : 'The search ended before it had found settings that meet the goal';
}

export function drawAnswer(plan: Plan): Markup {
  const { model, chosen, replicas } = plan;
  const version = model.version === '' ? '' : `, version ${model.version}`;
  const reasons = [
    ...(chosen === null || !(chosen.rate.value > 0) ? [whyNone(plan)] : []),
    ...(chosen !== null && !plan.isComplete ? ['The search did not come to its end: settings that were not tried may be better.'] : []),
    ...(chosen !== null && replicas === null ? [`How many replicas ${rateText(plan.load.rate)} need was not worked out.`] : []),
  ];
  return markup`<header>
<p class="over">Capacity plan for <b>${model.name}</b>${version}</p>
<h1>${answerText(plan)}</h1>
${reasons.map((reason) => markup`<p class="reason">${reason}</p>`)}
${drawTiles(plan)}
${drawNotes(plan.notes)}
<section class="assumptions"><h2>What this rests on</h2>
<ul>${assumptions(plan).map((text) => markup`<li>${text}</li>`)}</ul></section>
</header>
`;
}

function whyNone(plan: Plan): string {
  const { loneRequestMs, candidates, isComplete } = plan;
  if (!wasMeasured(plan)) return 'The search ended before its first measurement.';
  if (isBelowLoneRequest(plan)) return `A lone request takes ${msText(loneRequestMs)}: no goal below that can be met on this machine.`;
  const lone = isKnown(loneRequestMs) ? `A lone request takes ${msText(loneRequestMs)}, but ` : '';
  const none = isComplete
    ? `of the ${countText(candidates.length, 'setting')} tried none sustains a rate within the goal.`
    : `no settings were measured to the end; others, or these, may meet ${goalText(plan)}.`;
  return `${lone}${lone === '' ? none.charAt(0).toUpperCase() + none.slice(1) : none}`;
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
    value: sustainedText(chosen),
    more: chosen.rate.low > 0 ? `shown to hold, and shown not to: ${intervalText(chosen.rate)}` : 'not confirmed',
  };
  if (replicas === null) return [sustains];
  const share = chosen.rate.low > 0 ? replicas.rateOfEach / chosen.rate.low : null;
  const of = isKnown(share) ? `${percentText(share)} of what it surely sustains` : 'with all up';
  return [sustains, { name: 'Each is given', value: rateText(replicas.rateOfEach), more: of }];
}

function latencyTiles({ replicas, goal, loneRequestMs }: Plan): Tile[] {
  const lone = { name: 'A lone request takes', value: msText(loneRequestMs), more: 'seen by the client' };
  if (replicas === null || !isKnown(replicas.p99Ms)) return isKnown(loneRequestMs) ? [lone] : [];
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
    `Load: ${rateText(load.rate)} all together, ${load.arrivals} arrivals (seed ${plainText(seed)}), spread over replicas by chance, as a Service of Kubernetes does.`,
    `A request: ${countText(model.rowsPerRequest, 'row')}${shapes.length > 0 ? `, inputs ${shapes.join(', ')}` : ''}.`,
    `Goal: ${goalText(plan)}, from when a request is due until the client has its answer. One without a right answer misses it.`,
  ];
  if (chosen !== null) found.push(`Settings: ${settingsText(chosen.settings)}.`);
  if (replicas !== null) found.push(...replicaAssumptions(replicas));
  if (autoscaling !== null) {
    found.push(...autoscalingAssumptions(autoscaling));
  }
  return [...found, 'Every replica has a machine like the one measured, for itself.'];
}

/** What the manifests beside this page ask for, and whether it is soon enough. */
function autoscalingAssumptions({ least, most, targetRate, targetLaneBusy, delaySeconds, ramp }: Autoscaling): string[] {
  const metrics = `Autoscaling: ${numberText(least)} to ${countText(most, 'replica')}, one more when each gets over ${rateText(targetRate)}`;
  const others = `lanes are ${percentText(targetLaneBusy)} busy then; a long queue, a high latency and much CPU time ask for one as well`;
  const growth = `While it starts, in ${numberText(delaySeconds)} s as assumed, the load of each may grow by ${percentText(ramp.growthPerSecond)} a second`;
  const end = isKnown(ramp.p99Ms) ? `p99 ${msText(ramp.p99Ms)}` : 'too many requests have no right answer';
  return [`${metrics} (${others}).`, `${growth}: the goal is ${ramp.isMet ? 'met' : 'missed'} meanwhile (${end}, simulated).`];
}

function replicaAssumptions({ headroom, spare, lostWithSpare }: Replicas): string[] {
  const free = headroom > 0 ? percentText(headroom) : 'nothing';
  const counted = `A replica counts with the lower end of its interval, and ${free} of that stays free.`;
  const failures =
    spare > 0
      ? `${countText(spare, 'replica')} may fail at one time without the goal being missed; ${countText(lostWithSpare, 'request')} in flight there would be lost (simulated).`
      : 'No replica may fail: there is no spare.';
  return [counted, failures];
}
