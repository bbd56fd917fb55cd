/** The foot of the page: where and with what it was measured, and the model of the server behind the predictions. */
import type { Plan } from '../plan/plan.js';
import type { FittedServer } from '../server-model/fitted-server.js';
import { drawTable } from './figure.js';
import { isKnown, msText, numberText, percentText } from './figure-text.js';
import { markup, type Markup } from './markup.js';

export function drawBackground(plan: Plan): Markup {
  return markup`<section class="background"><h2>Where it was measured</h2>
<div class="columns">
${drawFacts('Machine', Object.entries(plan.machine))}
${drawFacts('Versions', Object.entries(plan.versions))}
${plan.fitted === null ? null : drawFacts('Model of the server', frontEndFacts(plan.fitted))}
</div>
${drawFit(plan.fitted)}
<footer>Measured ${dateText(plan.taken)}. All figures are in plan.json, beside this page.</footer>
</section>
`;
}

function drawFacts(title: string, facts: readonly (readonly [string, string | number])[]): Markup {
  const rows = facts.map(([name, value]) => markup`<dt>${nameText(name)}</dt><dd>${valueText(name, value)}</dd>`);
  return markup`<div><h3>${title}</h3>${rows.length === 0 ? markup`<p>Nothing was noted.</p>` : markup`<dl>${rows}</dl>`}</div>`;
}

const BYTES = /_?bytes$/i;
const GIB = 2 ** 30;

/** memory_bytes: memory. */
const nameText = (name: string): string => name.replace(BYTES, '').replaceAll('_', ' ');

function valueText(name: string, value: string | number): string {
  if (typeof value === 'string') return value;
  return BYTES.test(name) ? `${numberText(value / GIB)} GiB` : numberText(value);
}

function frontEndFacts({ frontEnd, laneSlowdown, gpu }: FittedServer): [string, string][] {
  const slower = laneSlowdown
    .slice(1)
    .map((times, i): [string, string] => [`a run beside ${i + 1} more`, `${numberText(times)} times as long`]);
  const turns: [string, string][] =
    gpu === null
      ? []
      : [
          ['GPUs, one run at a time on each', numberText(gpu.count)],
          ['of a run, beside its turn', msText(gpu.asideMs)],
        ];
  return [
    ['threads for requests', numberText(frontEnd.threads)],
    ['each, for a request', msText(frontEnd.perRequestMs)],
    ['besides', msText(frontEnd.fixedMs)],
    ...slower,
    ...turns,
  ];
}

function drawFit(fitted: FittedServer | null): Markup {
  const title = markup`<h3>Time of a run, as fitted</h3>`;
  if (fitted === null) return markup`${title}<p>No model of the server was fitted: too little was measured.</p>`;
  const rows = fitted.runTimes.map(({ rows: size, quantilesMs }) => {
    const residuals = fitted.residuals.filter((residual) => residual.rows === size && isKnown(residual.relative));
    const worst = Math.max(...residuals.map(({ relative }) => Math.abs(relative)));
    return [
      numberText(size),
      msText(quantilesMs[0] ?? null),
      msText(quantilesMs[Math.floor((quantilesMs.length - 1) / 2)] ?? null),
      msText(quantilesMs.at(-1) ?? null),
      numberText(residuals.length),
      residuals.length === 0 ? '–' : `± ${percentText(worst)}`,
    ];
  });
  const table = drawTable('Figures of the fit', { head: ['rows', 'shortest', 'median', 'longest', 'residuals', 'largest residual'], rows });
  return markup`${title}<p>${residualText(fitted)}</p><details><summary>Figures of the fit</summary>${table}</details>`;
}

function residualText({ residuals }: FittedServer): string {
  const squares = residuals.filter(({ relative }) => isKnown(relative)).map(({ relative }) => relative ** 2);
  if (squares.length === 0) return 'There are no residuals: each batch size was measured once.';
  const mean = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
  return `Measured times of runs differ from the fitted curve by ${percentText(mean)} (root mean square of ${numberText(squares.length)} residuals).`;
}

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });

/** 21 November 2026, 18:45 UTC. */
function dateText(taken: string): string {
  const date = new Date(taken);
  if (Number.isNaN(date.getTime())) return taken;
  return `${DAY.format(date)}, ${date.toISOString().slice(11, 16)} UTC`;
}
