/** A plan as one page that needs nothing else: no script, no other file, no network. */
import type { Plan } from '../plan/plan.js';
import { answerText, drawAnswer } from './answer.js';
import { drawBackground } from './background.js';
import { costFigure, latencyFigure, replicasFigure } from './load-figures.js';
import { Markup, markup } from './markup.js';
import { batchFigure, predictionFigure, settingsFigure } from './server-figures.js';
import { STYLES } from './styles.js';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** HTML. What a plan lacks is said in a sentence in its place. */
export function reportHtml(plan: Plan): string {
  const figures = [latencyFigure, replicasFigure, settingsFigure, batchFigure, predictionFigure, costFigure];
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${plan.model.name}: ${answerText(plan)}</title>
<style>${new Markup(STYLES)}</style>
</head>
<body>
<main>
${drawAnswer(plan)}<div class="plots">
${figures.map((draw) => draw(plan))}</div>
${drawBackground(plan)}</main>
</body>
</html>
`.toString();
}
