/** The files of a plan. */
import { reportHtml } from '../report/report-html.js';
import { configPbtxt } from './config-pbtxt.js';
import { planKustomization, type KustomizationSettings } from './kustomization.js';
import type { PlanFolder } from './plan-folder.js';
import type { Plan } from './plan.js';

type Fields = Readonly<Record<string, unknown>>;

/**
 * plan.json first: what was measured is kept whatever becomes of the others. What this plan does not have is removed: a file of an earlier
 * one beside it would say something else. Throws `WriteFailure`.
 */
export function writeOutputs(folder: PlanFolder, plan: Plan, config: Fields | null, settings: KustomizationSettings): void {
  writePlan(folder, plan);
  folder.write('report.html', reportHtml(plan));
  replace(folder, 'config.pbtxt', chosenConfigOf(plan, config));
  replace(folder, 'kustomization.yaml', planKustomization(plan, settings));
}

export function writePlan(folder: PlanFolder, plan: Plan): void {
  folder.write('plan.json', `${JSON.stringify(plan, null, 2)}\n`);
}

/** Undefined where no settings were chosen. */
function chosenConfigOf(plan: Plan, config: Fields | null): string | undefined {
  const { chosen, goal, model } = plan;
  if (chosen === null) return undefined;
  const header = [
    `Made by penstock plan on ${plan.taken.slice(0, 10)}: the settings of ${model.name} with which one server answers the most requests,`,
    `p${goal.percentile} within ${goal.latencyMs} ms. Run the server with --cpu-threads ${chosen.settings.cpuThreads}.`,
    ...(chosen.settings.precision === undefined
      ? []
      : [`The precision is one that was tried: answers differ a little between tf32 and fp32.`]),
  ];
  return configPbtxt(model.name, config, chosen.settings, goal, header);
}

function replace(folder: PlanFolder, name: string, content: string | undefined): void {
  if (content === undefined) folder.remove(name);
  else folder.write(name, content);
}
