import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authority, TlsFolder } from '../support/certificates.js';
import { buildFakeGpu, FakeGpuScript, startOnFakeGpu } from '../support/fake-gpu.js';
import { MetricsPage } from '../support/prometheus.js';
import { ServerProcess } from '../support/server-process.js';
import { buildAlone } from './builds.js';
import { foreignMetrics } from './foreign-metrics.js';
import { k8s, type Manifest } from './kustomize.js';
import { metricsIn } from './promql.js';
import { asked, recordings } from './queries.js';

/** Kustomize some dozen times, and a compiler for the fake driver. */
const SET_UP_MS = 8 * 60_000;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { histogram: ['_bucket', '_sum', '_count'], summary: ['', '_sum', '_count'] };

const namesOf = (page: MetricsPage): string[] =>
  [...page.types].flatMap(([family, type]) => (SUFFIXES[type] ?? ['']).map((suffix) => family + suffix));

async function exportedBy(server: Promise<ServerProcess>): Promise<string[]> {
  const started = await server;
  try {
    return namesOf(await MetricsPage.of(started.managementUrl));
  } finally {
    await started.stop();
  }
}

describe('metrics that manifests ask for', () => {
  const script = new FakeGpuScript(['gpus 1']);
  const folder = new TlsFolder(new Authority().issue('penstock'));
  const exported = new Set<string>();
  let manifests: readonly Manifest[];

  beforeAll(async () => {
    buildFakeGpu();
    for (const start of [() => ServerProcess.start({ flags: folder.flags }), () => startOnFakeGpu(script)])
      for (const name of await exportedBy(start())) exported.add(name);
    const { builds, failures } = await buildAlone();
    expect(failures).toEqual([]);
    const all = builds.flatMap((build) => build.manifests);
    manifests = [...new Map(all.map((manifest) => [JSON.stringify(manifest), manifest])).values()];
  }, SET_UP_MS);

  afterAll(() => {
    script.remove();
    folder.remove();
  });

  it('are exported by a running server, recorded by our rules, or known to be exported by others', () => {
    const recorded = new Set(recordings(manifests));
    const unknown = asked(manifests).filter(({ metric }) => ![exported, recorded, foreignMetrics].some((names) => names.has(metric)));
    expect([...new Set(unknown.map(({ by, metric }) => `${by} asks for ${metric}`))]).toEqual([]);
    expect(exported).toContain('nv_gpu_utilization');
    expect(exported).toContain('penstock_request_duration_seconds_bucket');
  });

  it('are recorded, where prometheus-adapter hands them to autoscalers', () => {
    const recorded = new Set(recordings(manifests));
    const files = readdirSync(k8s, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));
    const series = files.flatMap((file) => [...readFileSync(join(k8s, file), 'utf8').matchAll(/^\s*- seriesQuery: '?(.*?)'?$/gm)]);
    const unknown = series.flatMap(([, query = '']) => metricsIn(query)).filter((name) => !recorded.has(name) && !exported.has(name));
    expect(unknown).toEqual([]);
  });
});

describe('a query', () => {
  it('names its metrics, whatever stands around them', () => {
    const query = 'sum by (pod) (rate(a_total{pod=~"b.*"}[5m])) / on (pod) group_left c:d > 0.5 or absent(up) unless {__name__="e"}';
    expect(metricsIn(query)).toEqual(['a_total', 'c:d', 'up', 'e']);
  });

  it('may have the templates of Grafana, Argo Rollouts and Flagger', () => {
    expect(metricsIn('rate(a{pod=~"$pod", namespace="{{args.namespace}}"}[$__rate_interval])')).toEqual(['a']);
    expect(metricsIn('max_over_time(b{pod=~"{{ target }}-.+"}[{{ interval }}]) > ${limit}')).toEqual(['b']);
  });

  it('is refused when it is not PromQL', () => {
    expect(() => metricsIn('sum(rate(a[5m])')).toThrow('not PromQL');
  });

  it('is found in rules, autoscalers, analyses and dashboards', () => {
    const manifest = (kind: string, fields: object): Manifest => ({ apiVersion: 'x/v1', kind, metadata: { name: 'm' }, ...fields });
    const all = [
      manifest('PrometheusRule', { spec: { groups: [{ rules: [{ record: 'r', expr: 'in_rule' }] }] } }),
      manifest('HorizontalPodAutoscaler', { spec: { metrics: [{ pods: { metric: { name: 'in_hpa' } } }] } }),
      manifest('ScaledObject', { spec: { triggers: [{ type: 'prometheus', metadata: { query: 'sum(in_keda)' } }] } }),
      manifest('AnalysisTemplate', { spec: { metrics: [{ name: 'a', provider: { prometheus: { query: 'in_argo' } } }] } }),
      manifest('MetricTemplate', { spec: { query: 'in_flagger' } }),
      manifest('ConfigMap', {
        data: {
          'd.json': JSON.stringify({ panels: [{ targets: [{ expr: 'in_panel' }] }], list: [{ query: 'label_values(in_variable, pod)' }] }),
        },
      }),
    ];
    expect(
      asked(all)
        .map(({ metric }) => metric)
        .sort(),
    ).toEqual(['in_argo', 'in_flagger', 'in_hpa', 'in_keda', 'in_panel', 'in_rule', 'in_variable']);
    expect(recordings(all)).toEqual(['r']);
  });
});
