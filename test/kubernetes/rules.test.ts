import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CONDITIONS } from '../../src/health/gpu-conditions.js';
import { repositoryRoot } from '../support/server-process.js';
import { deployment, installation } from './deployment.js';
import { find, type Manifest } from './kustomize.js';
import {
  alertsOf,
  groupsOf,
  recordingsOf,
  rulesFile,
  ruleTestFiles,
  withMonitoring,
  writeRulesFile,
  type Alert,
  type RuleGroup,
  type RuleTestFile,
} from './rules.js';
import { runTool } from './tools.js';

let manifests: Manifest[];
let groups: readonly RuleGroup[];
let files: readonly RuleTestFile[];
let runbook: string;

beforeAll(async () => {
  manifests = await withMonitoring();
  groups = groupsOf(manifests);
  files = await ruleTestFiles();
  runbook = await readFile(join(repositoryRoot, 'docs/runbook.md'), 'utf8');
  await writeRulesFile(groups);
});

describe('the rules', () => {
  it('are accepted by promtool, as they are deployed', async () => {
    const { stdout } = await runTool('promtool', ['check', 'rules', '--lint-fatal', rulesFile]);
    expect(stdout).toContain(`SUCCESS: ${groups.flatMap(({ rules }) => rules).length} rules found`);
  });

  it('give what their tests expect', async () => {
    await runTool('promtool', ['test', 'rules', ...files.map(({ path }) => path)]);
  });

  it('are found by the selector of a Prometheus that wants its release as a label', () => {
    const selected = manifests.filter(({ apiVersion }) => apiVersion === 'monitoring.coreos.com/v1');
    expect(selected.map(({ kind, metadata: { labels } }) => [kind, labels?.['release']])).toEqual([
      ['PrometheusRule', 'kube-prometheus-stack'],
      ['PrometheusRule', 'kube-prometheus-stack'],
      ['PrometheusRule', 'kube-prometheus-stack'],
      ['ServiceMonitor', 'kube-prometheus-stack'],
    ]);
  });
});

describe('every rule has a test', () => {
  it('that an alert fires, and one that it does not', () => {
    const tests = files.flatMap(({ tests }) => tests.flatMap(({ alert_rule_test = [] }) => alert_rule_test));
    for (const { alert } of alertsOf(groups)) {
      const expected = tests.filter(({ alertname }) => alertname === alert).map(({ exp_alerts }) => exp_alerts.length > 0);
      expect([alert, new Set(expected)]).toEqual([alert, new Set([true, false])]);
    }
  });

  it('that a recording has a value', () => {
    const tests = files.flatMap(({ tests }) => tests.flatMap(({ promql_expr_test = [] }) => promql_expr_test));
    for (const { record } of recordingsOf(groups)) {
      const name = new RegExp(`(?<![\\w:])${record}(?![\\w:])`);
      expect([record, tests.some(({ expr, exp_samples }) => name.test(expr) && exp_samples.length > 0)]).toEqual([record, true]);
    }
  });
});

/** The cells of the alert's row in the table of thresholds. */
function rowOf(alert: string): string[] {
  const row = runbook.split('\n').find((line) => line.startsWith(`| [${alert}]`));
  return (row ?? '').split('|').map((cell) => cell.trim());
}

describe('every alert', () => {
  it('says what it is, how bad it is and where to read on', () => {
    for (const { alert, labels, annotations } of alertsOf(groups)) {
      expect([alert, Object.keys(annotations).sort()]).toEqual([alert, ['description', 'runbook_url', 'summary']]);
      expect(['warning', 'critical']).toContain(labels['severity']);
    }
  });

  it('has an entry in the runbook, where its runbook_url points', () => {
    const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading);
    for (const { alert, annotations } of alertsOf(groups)) {
      expect(headings).toContain(alert);
      expect(annotations['runbook_url']).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    }
    const entries = headings.filter((heading) => heading.startsWith('Penstock'));
    expect(entries).toEqual(alertsOf(groups).map(({ alert }) => alert));
  });

  it('has its severity, duration and threshold in the table of the runbook', () => {
    for (const { alert, labels, expr, for: duration = '0m' } of alertsOf(groups)) {
      const [, , severity, when = '', row] = rowOf(alert);
      expect([alert, severity, row]).toEqual([alert, labels['severity'], duration]);
      const thresholds = [...expr.matchAll(/(?:>=?|<=?) ([\d.]+)/g)].map(([text]) => text);
      for (const threshold of thresholds) expect(`${alert}: ${when} `).toMatch(new RegExp(`${threshold}(?![\\d.]*\\d)`));
    }
  });
});

describe('the alert on a server that is not ready', () => {
  it.each(['gpu', 'mig', 'gpu-sharing', 'dra'])('waits longer than a start may take with %s', async (component) => {
    const { startupProbe } = deployment(await installation(component)).container;
    const [, minutes] = /^(\d+)m$/.exec(alertsOf(groups).find(({ alert }) => alert === 'PenstockNotReady')?.for ?? '') ?? [];
    expect(Number(minutes) * 60).toBeGreaterThan(startupProbe.periodSeconds * startupProbe.failureThreshold);
  });
});

describe('the alerts on GPUs', () => {
  const causesOf = (alert: Alert | undefined): RegExp[] =>
    [...(alert?.expr ?? '').matchAll(/cause(=~|!~|=)"([^"]+)"/g)].map(([, , pattern = '']) => new RegExp(`^(?:${pattern})$`));
  const named = (name: string): Alert | undefined => alertsOf(groups).find(({ alert }) => alert === name);
  /** Told by the engine when a start finds no GPU: src/bridge/addon-gpus.ts. */
  const AT_START = ['no-device', 'driver-mismatch', 'device-revoked', 'cuda-error'];

  it('call a failure critical exactly where the server cannot serve because of it', () => {
    const [failed] = causesOf(named('PenstockGpuFailed'));
    const [notDegraded] = causesOf(named('PenstockGpuDegraded'));
    const [throttled] = causesOf(named('PenstockGpuThrottled'));
    // Running out of memory is mostly answered with smaller batches.
    const critical = new Set(CONDITIONS.filter(({ effect, cause }) => effect !== 'note' && cause !== 'oom').map(({ cause }) => cause));
    for (const cause of [...new Set(CONDITIONS.map((one) => one.cause)), ...AT_START, 'fabric-not-ready']) {
      const isCritical = critical.has(cause as never) || AT_START.includes(cause);
      const alerts = [failed?.test(cause), notDegraded?.test(cause) === false, throttled?.test(cause)];
      expect([cause, ...alerts]).toEqual([cause, isCritical, !isCritical && cause !== 'throttled', cause === 'throttled']);
    }
    expect(['ok', failed?.test('ok'), notDegraded?.test('ok')]).toEqual(['ok', false, true]);
  });

  it('have every cause in the runbook', () => {
    const section = runbook.slice(runbook.indexOf('## PenstockGpuFailed'), runbook.indexOf('## PenstockGpuThrottled'));
    for (const { cause } of CONDITIONS.filter((one) => one.cause !== 'throttled')) expect(section).toContain(`\`${cause}\``);
    for (const cause of [...AT_START, 'fabric-not-ready']) expect(section).toContain(`\`${cause}\``);
  });
});

describe('the ServiceMonitor', () => {
  interface Spec {
    readonly selector: { readonly matchLabels: Record<string, string> };
    readonly jobLabel: string;
    readonly endpoints: readonly { readonly port: string; readonly path: string }[];
  }

  it('scrapes each pod once: one Service that it selects has its port', () => {
    const spec = find(manifests, 'ServiceMonitor').spec as Spec;
    const services = manifests.filter(({ kind, metadata: { labels = {} } }) => {
      return kind === 'Service' && Object.entries(spec.selector.matchLabels).every(([label, value]) => labels[label] === value);
    });
    const [endpoint, ...more] = spec.endpoints;
    expect(more).toEqual([]);
    const withPort = services.filter(({ spec: of }) =>
      (of as { ports: readonly { name: string }[] }).ports.some(({ name }) => name === endpoint?.port),
    );
    expect(withPort.map(({ metadata }) => metadata.name)).toEqual(['penstock-headless']);
    expect(withPort[0]?.metadata.labels?.[spec.jobLabel]).toBe('penstock');
  });

  it('may be followed: a policy lets the namespace of Prometheus reach the port', () => {
    const { spec } = find(manifests, 'NetworkPolicy', 'penstock-monitoring');
    expect(spec).toMatchObject({
      ingress: [
        {
          from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
          ports: [{ port: 'management' }],
        },
      ],
    });
  });
});
