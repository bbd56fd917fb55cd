/** A plan as one page. */
import type { Plan } from '../plan/plan.js';
import { answerText, drawAnswer } from './answer.js';
import { drawBackground } from './background.js';
import { costFigure, latencyFigure, replicasFigure } from './load-figures.js';
import { markup } from './markup.js';
import { pageHtml } from './page.js';
import { batchFigure, predictionFigure, settingsFigure } from './server-figures.js';

/** HTML. What a plan lacks is said in a sentence in its place. */
export function reportHtml(plan: Plan): string {
  const figures = [latencyFigure, replicasFigure, settingsFigure, batchFigure, predictionFigure, costFigure];
  const plots = markup`<section><h2>What was found</h2>
<div class="plots">
${figures.map((draw) => draw(plan))}</div>
</section>
`;
  return pageHtml(`${plan.model.name}: ${answerText(plan)}`, [drawAnswer(plan), plots, drawBackground(plan)]);
}
