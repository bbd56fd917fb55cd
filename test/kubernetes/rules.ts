/** The rules of the component `monitoring`, as they are deployed. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { repositoryRoot } from '../support/server-process.js';
import { compose, type Manifest } from './kustomize.js';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Recording {
  readonly record: string;
  readonly expr: string;
}

export interface RuleGroup {
  readonly name: string;
  readonly interval?: string;
  readonly rules: readonly (Alert | Recording)[];
}

/** A file for promtool: what the tests in test/kubernetes/rules name as `rule_files`. */
export const rulesFile = join(repositoryRoot, 'build/kubernetes/rules.yaml');
const testFolder = join(repositoryRoot, 'test/kubernetes/rules');

export function withMonitoring(): Promise<Manifest[]> {
  return compose({ components: ['monitoring'] });
}

/** Groups of all PrometheusRules. */
export function groupsOf(manifests: readonly Manifest[]): readonly RuleGroup[] {
  const rules = manifests.filter(({ kind }) => kind === 'PrometheusRule');
  return rules.flatMap(({ spec }) => (spec as { groups: readonly RuleGroup[] }).groups);
}

export function alertsOf(groups: readonly RuleGroup[]): readonly Alert[] {
  return groups.flatMap(({ rules }) => rules).flatMap((rule) => ('alert' in rule ? [rule] : []));
}

export function recordingsOf(groups: readonly RuleGroup[]): readonly Recording[] {
  return groups.flatMap(({ rules }) => rules).flatMap((rule) => ('record' in rule ? [rule] : []));
}

export async function writeRulesFile(groups: readonly RuleGroup[], path = rulesFile): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, stringify({ groups }));
}

interface RuleTest {
  readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
  readonly promql_expr_test?: readonly { readonly expr: string; readonly exp_samples: readonly unknown[] }[];
}

export interface RuleTestFile {
  readonly path: string;
  readonly tests: readonly RuleTest[];
}

/** What promtool is given to test rules with. */
export async function ruleTestFiles(): Promise<readonly RuleTestFile[]> {
  const paths = (await readdir(testFolder)).sort().map((name) => join(testFolder, name));
  return Promise.all(
    paths.map(async (path) => ({ path, tests: (parse(await readFile(path, 'utf8')) as { tests: readonly RuleTest[] }).tests })),
  );
}
