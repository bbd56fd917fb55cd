/** AnalysisTemplates as Argo Rollouts would measure by them: arguments filled in, queries asked of promtool, conditions evaluated. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { stringify } from 'yaml';
import type { Manifest } from './kustomize.js';
import { runTool } from './tools.js';

export interface AnalysisMetric {
  readonly name: string;
  readonly count?: number;
  readonly successCondition: string;
  readonly failureCondition?: string;
  readonly provider: {
    readonly prometheus?: { readonly address: string; readonly query: string };
    readonly web?: { readonly url: string; readonly jsonPath: string };
  };
}

export type Verdict = 'successful' | 'failed' | 'inconclusive';

/** Series as promtool writes them, one sample every 15 s, such as `up{pod="a"}: 1x40`. */
export type Series = Readonly<Record<string, string>>;

/** Metrics of a template, `{{args.NAME}}` replaced by what is given or else by the default. Throws on one that has neither. */
export function metricsOf(template: Manifest, given: Readonly<Record<string, string>>): readonly AnalysisMetric[] {
  const { args, metrics } = template['spec'] as { args: readonly { name: string; value?: string }[]; metrics: readonly AnalysisMetric[] };
  const text = JSON.stringify(metrics).replace(/\{\{args\.([\w-]+)\}\}/g, (_, name: string) => {
    const value = given[name] ?? args.find((arg) => arg.name === name)?.value;
    if (value === undefined) throw new Error(`${template.metadata.name}: no argument ${name}`);
    return value;
  });
  return JSON.parse(text) as AnalysisMetric[];
}

/** Argo's rule: neither condition true is inconclusive. Expressions here are the part of its language that JavaScript has too. */
export function verdictOf({ successCondition, failureCondition }: AnalysisMetric, result: unknown): Verdict {
  const holds = (condition: string): boolean =>
    Boolean(runInNewContext(condition, { result, len: (list: readonly unknown[]): number => list.length }));
  if (failureCondition !== undefined && holds(failureCondition)) return 'failed';
  if (holds(successCondition)) return 'successful';
  return failureCondition === undefined ? 'failed' : 'inconclusive';
}

/** Rejects unless the query gives these values to three digits, without labels, five minutes after the series began. */
export async function expectQuery(query: string, series: Series, values: readonly number[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-promtool-'));
  const test = {
    evaluation_interval: '15s',
    tests: [
      {
        interval: '15s',
        input_series: Object.entries(series).map(([name, samples]) => ({ series: name, values: samples })),
        promql_expr_test: [
          { expr: `round(${query}, 0.001)`, eval_time: '5m', exp_samples: values.map((value) => ({ labels: '{}', value })) },
        ],
      },
    ],
  };
  try {
    await writeFile(join(folder, 'test.yaml'), stringify(test));
    await runTool('promtool', ['test', 'rules', join(folder, 'test.yaml')]);
  } finally {
    await rm(folder, { recursive: true });
  }
}
