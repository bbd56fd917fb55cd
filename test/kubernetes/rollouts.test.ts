/** Progressive delivery: who scales what, who selects whom, and by what a new version is judged. */
import { beforeAll, describe, expect, it } from 'vitest';
import { ServerProcess } from '../support/server-process.js';
import { expectQuery, metricsOf, verdictOf, type AnalysisMetric, type Series } from './analysis.js';
import { compose, find, type Manifest } from './kustomize.js';
import { lint } from './lint.js';
import { danglingServices, portsOf, scaleTargetOf, type PodTemplate } from './references.js';
import { matches, specOf, type Selector } from './workloads.js';

const ROLLOUTS = ['rollout-canary', 'rollout-bluegreen', 'rollout-canary-istio'] as const;

interface AnalysisUse {
  readonly templates: readonly { readonly templateName: string }[];
  readonly args: readonly { readonly name: string }[];
}

function analysesOf(rollout: Manifest): AnalysisUse[] {
  const found: AnalysisUse[] = [];
  JSON.stringify(rollout['spec'], (_, value: unknown) => {
    if (typeof value === 'object' && value !== null && 'templates' in value) found.push(value as AnalysisUse);
    return value;
  });
  return found;
}

describe.each(ROLLOUTS)('%s', (component) => {
  it('lends the Rollout the template of the Deployment, which runs no pods of its own', async () => {
    const manifests = await compose({ components: [component] });
    const { workloadRef } = find(manifests, 'Rollout')['spec'] as { workloadRef: unknown };
    const deployment = find(manifests, 'Deployment');
    const { apiVersion, kind, metadata } = deployment;
    expect(workloadRef).toMatchObject({ apiVersion, kind, name: metadata.name });
    expect(deployment['spec']).toMatchObject({ replicas: 0 });
  });

  it('names only Services and analyses that are there, under a prefix too, and gives each analysis what it asks for', async () => {
    for (const namePrefix of ['', 'blue-']) {
      const manifests = await compose({ components: [component], ...(namePrefix === '' ? {} : { namePrefix }) });
      expect(danglingServices(manifests.filter(({ kind }) => kind === 'Rollout'))).not.toEqual([]);
      expect(danglingServices(manifests)).toEqual([]);
      const rollout = find(manifests, 'Rollout');
      expect(analysesOf(rollout).length).toBeGreaterThan(0);
      for (const { templates, args } of analysesOf(rollout)) {
        const given = Object.fromEntries(args.map(({ name }) => [name, 'x']));
        for (const { templateName } of templates) metricsOf(find(manifests, 'AnalysisTemplate', templateName), given);
      }
    }
  });

  it('keeps its pods under the disruption budget, and judges them for a bounded time', async () => {
    const manifests = await compose({ components: [component] });
    const { template } = find(manifests, 'Deployment')['spec'] as { template: PodTemplate };
    const { selector } = find(manifests, 'PodDisruptionBudget')['spec'] as { selector: { matchLabels: Record<string, string> } };
    expect(template.metadata.labels).toMatchObject(selector.matchLabels);
    // Without a count a measurement goes on for ever, and with it the step that waits for it.
    for (const analysis of manifests.filter(({ kind }) => kind === 'AnalysisTemplate'))
      for (const { count } of (analysis['spec'] as { metrics: readonly AnalysisMetric[] }).metrics) expect(count).toBeGreaterThan(0);
  });

  it.each(['hpa', 'keda', 'vpa'])('is what %s, listed before it, scales', async (autoscaler) => {
    const manifests = await compose({ components: [autoscaler, component] });
    expect(scaleTargetOf(manifests)).toEqual({ apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: 'penstock' });
  });

  it('leaves the number of its pods to the autoscaler with rollout-autoscaled', async () => {
    const manifests = await compose({ components: ['hpa', component, 'rollout-autoscaled'] });
    expect(find(manifests, 'Rollout')['spec']).not.toHaveProperty('replicas');
    expect(find(manifests, 'Deployment')['spec']).toMatchObject({ replicas: 0 });
  });
});

describe('the analysis of metrics', () => {
  const pod = (hash: string): string => `namespace="ml", pod="penstock-${hash}-abcde", model="digits"`;
  const recorded = (name: string, hash: string): string => `${name}{${pod(hash)}}`;
  const flat = (value: number | 'NaN'): string => `${value}x40`;

  /** Requests of one version, so many in each 15 s, all of them faster than `fast` seconds or all slower. */
  const latencies = (hash: string, perScrape: number, fast: boolean): Series => {
    const bucket = (le: string): string => `penstock_request_duration_seconds_bucket{${pod(hash)}, le="${le}"}`;
    const total = `0+${perScrape}x40`;
    return {
      [bucket('0.1')]: fast ? total : flat(0),
      [bucket('1')]: total,
      [bucket('+Inf')]: total,
      [`penstock_request_duration_seconds_count{${pod(hash)}}`]: total,
    };
  };

  let metrics: Map<string, AnalysisMetric>;
  beforeAll(async () => {
    const manifests = await compose({ components: ['rollout-canary'] });
    const given = { namespace: 'ml', 'latest-hash': 'new1', 'stable-hash': 'old1' };
    metrics = new Map(metricsOf(find(manifests, 'AnalysisTemplate', 'penstock-metrics'), given).map((metric) => [metric.name, metric]));
  });

  it.each<[what: string, metric: string, series: Series, values: number[], verdict: string]>([
    ['no errors', 'errors', { [recorded('inference_error_ratio', 'new1')]: flat(0) }, [0], 'successful'],
    ['errors', 'errors', { [recorded('inference_error_ratio', 'new1')]: flat(0.2) }, [0.2], 'failed'],
    ['errors of the old version', 'errors', { [recorded('inference_error_ratio', 'old1')]: flat(0.2) }, [], 'inconclusive'],
    ['another namespace', 'errors', { 'inference_error_ratio{namespace="b",pod="penstock-new1-a"}': flat(0) }, [], 'inconclusive'],
    ['nothing scraped', 'errors', {}, [], 'inconclusive'],
    ['quick answers', 'p95', { [recorded('inference_latency_p95', 'new1')]: flat(0.02) }, [0.02], 'successful'],
    ['slow answers', 'p95', { [recorded('inference_latency_p95', 'new1')]: flat(3) }, [3], 'failed'],
    ['nothing scraped', 'p95', {}, [], 'inconclusive'],
    ['the same latency', 'p95-growth', { ...latencies('old1', 9, true), ...latencies('new1', 1, true) }, [1], 'successful'],
    ['ten times the latency', 'p95-growth', { ...latencies('old1', 9, true), ...latencies('new1', 1, false) }, [10.053], 'failed'],
    ['no traffic on the new version', 'p95-growth', { ...latencies('old1', 9, true), ...latencies('new1', 0, true) }, [0], 'successful'],
    ['no traffic on the old version', 'p95-growth', { ...latencies('old1', 0, true), ...latencies('new1', 5, true) }, [0], 'successful'],
    ['the new version not scraped', 'p95-growth', latencies('old1', 9, true), [], 'inconclusive'],
  ])('given %s, calls %s what it is', async (_, name, series, values, verdict) => {
    const metric = metrics.get(name);
    if (metric?.provider.prometheus === undefined) throw new Error(`no metric ${name}`);
    expect(metric.provider.prometheus.address).toMatch(/^http:/);
    await expectQuery(metric.provider.prometheus.query, series, values);
    expect(verdictOf(metric, values)).toBe(verdict);
  });

  it('takes a value that is no number for neither success nor failure', () => {
    for (const metric of metrics.values()) expect(verdictOf(metric, [NaN]), metric.name).toBe('inconclusive');
  });
});

describe('the analysis before a promotion', () => {
  it('asks a port of the preview Service for what a real server answers', async () => {
    const manifests = await compose({ components: ['rollout-bluegreen'] });
    const [metric] = metricsOf(find(manifests, 'AnalysisTemplate', 'penstock-preview'), { namespace: 'ml' });
    if (metric?.provider.web === undefined) throw new Error('no question');
    const { hostname, port, pathname } = new URL(metric.provider.web.url);
    const [service, namespace] = hostname.split('.');
    expect([namespace, portsOf(find(manifests, 'Service', service))['http']]).toEqual(['ml', Number(port)]);
    expect(metric.provider.web.jsonPath).toBe('{$.name}');
    const server = await ServerProcess.start();
    try {
      const { name } = (await (await fetch(server.httpUrl + pathname)).json()) as { name: string };
      expect(verdictOf(metric, name)).toBe('successful');
      expect(verdictOf(metric, 'nginx')).toBe('failed');
    } finally {
      await server.stop();
    }
  });
});

describe('flagger', () => {
  /** As pkg/canary/util.go of Flagger names and labels what it makes. */
  const primaryLabels = { 'app.kubernetes.io/name': 'penstock-primary' };
  let manifests: Manifest[];
  beforeAll(async () => {
    manifests = await compose({ components: ['monitoring', 'flagger'] });
  });

  it('leaves Service penstock and the number of pods to Flagger', () => {
    expect(manifests.filter(({ kind }) => kind === 'Service').map(({ metadata }) => metadata.name)).toEqual(['penstock-headless']);
    expect(find(manifests, 'Deployment')['spec']).not.toHaveProperty('replicas');
    // Flagger looks for its label in the selector and makes one selector of it.
    expect(find(manifests, 'Deployment')['spec']).toMatchObject({ selector: { matchLabels: { 'app.kubernetes.io/name': 'penstock' } } });
  });

  it('has policies, a budget and a Service for the pods of the copy, whose name label differs', () => {
    const { template } = find(manifests, 'Deployment')['spec'] as { template: PodTemplate };
    const labels = { ...template.metadata.labels, ...primaryLabels };
    const selected = (manifest: Manifest): Record<string, string> => {
      const { podSelector, selector } = manifest['spec'] as Record<string, Record<string, unknown> | undefined>;
      return ((podSelector ?? selector)?.['matchLabels'] ?? selector) as Record<string, string>;
    };
    const kinds = ['NetworkPolicy', 'PodDisruptionBudget', 'Service'];
    const selecting = manifests.filter(({ kind }) => kinds.includes(kind));
    expect(selecting.map(({ kind }) => kind)).toEqual(expect.arrayContaining(kinds));
    for (const manifest of selecting) expect(labels, `${manifest.kind} ${manifest.metadata.name}`).toMatchObject(selected(manifest));
  });

  it('leaves the policies of jobs to their jobs, and lets a load test reach the copy', async () => {
    const resources = ['base', 'jobs/load-test', 'jobs/model-backup'];
    const withJobs = await compose({ resources, components: ['monitoring', 'model-download', 'flagger'] });
    const policy = (name: string): { podSelector: Selector; egress: readonly { to?: readonly { podSelector: Selector }[] }[] } =>
      specOf(find(withJobs, 'NetworkPolicy', name));
    for (const name of ['penstock-load-test', 'penstock-model-backup'])
      expect(policy(name).podSelector).toEqual({ matchLabels: { 'app.kubernetes.io/name': name } });
    const peers = policy('penstock-load-test').egress.flatMap(({ to = [] }) => to.map(({ podSelector }) => podSelector));
    const { template } = find(withJobs, 'Deployment')['spec'] as { template: PodTemplate };
    for (const labels of [template.metadata.labels, { ...template.metadata.labels, ...primaryLabels }])
      expect(peers.filter((peer) => matches(peer, labels))).toHaveLength(1);
    expect(lint(withJobs, new Set(['PersistentVolumeClaim/penstock-models', 'Secret/penstock-rclone']))).toEqual([]);
  });

  it('has every pod scraped once, by the headless Service and not by those that Flagger makes', () => {
    const { selector } = find(manifests, 'ServiceMonitor')['spec'] as { selector: { matchLabels: Record<string, string> } };
    expect(find(manifests, 'Service').metadata.labels).toMatchObject(selector.matchLabels);
    // All the labels that Flagger gives Service penstock.
    expect({ 'app.kubernetes.io/name': 'penstock' }).not.toMatchObject(selector.matchLabels);
  });

  it('judges the pods of the new version, and not those of the copy that serves', async () => {
    const { targetRef, analysis } = find(manifests, 'Canary')['spec'] as {
      targetRef: { name: string };
      analysis: { metrics: readonly { templateRef: { name: string } }[] };
    };
    expect(targetRef.name).toBe(find(manifests, 'Deployment').metadata.name);
    expect(analysis.metrics).toHaveLength(2);
    for (const { templateRef } of analysis.metrics) {
      const { query } = find(manifests, 'MetricTemplate', templateRef.name)['spec'] as { query: string };
      const filled = query.replaceAll('{{ namespace }}', 'ml').replaceAll('{{ target }}', targetRef.name);
      const metric = /inference_\w+/.exec(filled)?.[0] ?? '';
      const series = {
        [`${metric}{namespace="ml",pod="penstock-primary-5d4f8b7c9-abcde",model="m"}`]: '7x40',
        [`${metric}{namespace="ml",pod="penstock-6f5d9c8b7-fghij",model="m"}`]: '0.5x40',
      };
      await expectQuery(filled, series, [0.5]);
    }
  });

  it('finds the autoscaler that flagger-hpa names', async () => {
    const autoscaled = await compose({ components: ['hpa', 'flagger', 'flagger-hpa'] });
    const { apiVersion, kind, metadata } = find(autoscaled, 'HorizontalPodAutoscaler');
    const { autoscalerRef } = find(autoscaled, 'Canary')['spec'] as { autoscalerRef: unknown };
    expect(autoscalerRef).toEqual({ apiVersion, kind, name: metadata.name });
  });
});
