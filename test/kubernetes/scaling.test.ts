import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { deployment, installation } from './deployment.js';
import { find, k8s } from './kustomize.js';
import { runTool } from './tools.js';
import { quantity } from './workloads.js';

interface Target {
  readonly averageUtilization?: number;
  readonly averageValue?: string;
}

interface Metric {
  readonly type: string;
  readonly containerResource?: { readonly container: string; readonly name: string; readonly target: Target };
  readonly pods?: { readonly metric: { readonly name: string }; readonly target: Target };
}

interface Autoscaler {
  readonly scaleTargetRef: { readonly apiVersion: string; readonly kind: string; readonly name: string };
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly metrics: readonly Metric[];
  readonly behavior: { readonly scaleDown: { readonly stabilizationWindowSeconds: number } };
}

interface ScaledObject {
  readonly scaleTargetRef: Autoscaler['scaleTargetRef'];
  readonly minReplicaCount: number;
  readonly maxReplicaCount: number;
  readonly fallback: { readonly failureThreshold: number; readonly replicas: number };
  readonly advanced: { readonly horizontalPodAutoscalerConfig: { readonly behavior: Autoscaler['behavior'] } };
  readonly triggers: readonly {
    readonly type: string;
    readonly metricType: string;
    readonly metadata: Readonly<Record<string, string>>;
  }[];
}

interface AdapterRule {
  readonly seriesQuery: string;
  readonly resources: { readonly overrides: Readonly<Record<string, { readonly resource: string }>> };
  readonly name?: { readonly matches?: string; readonly as?: string };
  readonly metricsQuery: string;
}

async function hpa(): Promise<Autoscaler> {
  return find(await installation('hpa'), 'HorizontalPodAutoscaler')['spec'] as Autoscaler;
}

async function keda(): Promise<ScaledObject> {
  return find(await installation('keda'), 'ScaledObject')['spec'] as ScaledObject;
}

async function adapterRules(): Promise<readonly AdapterRule[]> {
  const values = parse(await readFile(join(k8s, 'components/hpa/prometheus-adapter.yaml'), 'utf8')) as {
    rules: { custom: readonly AdapterRule[] };
  };
  return values.rules.custom;
}

/** The names that the component monitoring records, each with its expression. */
async function recordings(): Promise<ReadonlyMap<string, string>> {
  const rules = (await installation('monitoring'))
    .filter(({ kind }) => kind === 'PrometheusRule')
    .flatMap((manifest) => (manifest['spec'] as { groups: { rules: { record?: string; expr: string }[] }[] }).groups)
    .flatMap((group) => group.rules);
  return new Map(rules.flatMap(({ record, expr }) => (record === undefined ? [] : [[record, expr]])));
}

/** What the adapter makes of a rule for two pods: its pkg/naming/metrics_query.go fills in exactly these three. */
function adapterQuery({ metricsQuery }: AdapterRule, series: string): string {
  return metricsQuery
    .replaceAll('<<.Series>>', series)
    .replaceAll('<<.LabelMatchers>>', 'namespace="penstock",pod=~"penstock-a|penstock-b"')
    .replaceAll('<<.GroupBy>>', 'pod');
}

const seriesOf = ({ seriesQuery }: AdapterRule): string => /^[a-z0-9_:]+/.exec(seriesQuery)?.[0] ?? '';

/** Rejects when Prometheus could not parse one of them. */
async function parseQueries(queries: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-queries-'));
  try {
    const rules = queries.map((expr, index) => ({ record: `query_${index}`, expr }));
    await writeFile(join(folder, 'rules.yaml'), stringify({ groups: [{ name: 'queries', rules }] }));
    await runTool('promtool', ['check', 'rules', join(folder, 'rules.yaml')]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const MEASURES = ['inference_latency_p95', 'inference_queue_depth', 'inference_requests_per_second'];

describe.each(['hpa', 'keda'])('the component %s', (name) => {
  it('owns the number of replicas: the Deployment has none to set it back to', async () => {
    expect(deployment(await installation('gpu')).replicas).toBe(2);
    expect(deployment(await installation(name)).replicas).toBeUndefined();
  });

  it.each([[[]], [['gpu']], [['mig']]])(
    'requests the memory that it is limited to, as percentages of the request are meant (with %j)',
    async (more) => {
      for (const order of [
        [...more, name],
        [name, ...more],
      ]) {
        const { requests, limits } = deployment(await installation(...order)).container.resources;
        expect(requests['memory']).toBe(limits['memory']);
      }
    },
  );
});

describe('the HorizontalPodAutoscaler', () => {
  it('scales the Deployment by the container and by what our rules record', async () => {
    const { scaleTargetRef, metrics } = await hpa();
    expect(scaleTargetRef).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'penstock' });
    const { container } = deployment(await installation('hpa'));
    const resources = metrics.flatMap(({ containerResource }) => containerResource ?? []);
    expect(resources.map(({ name }) => name)).toEqual(['cpu', 'memory']);
    for (const resource of resources) expect(resource.container).toBe(container.name);
    const recorded = await recordings();
    const pods = metrics.flatMap(({ pods }) => pods?.metric.name ?? []).sort();
    expect(pods).toEqual(MEASURES);
    for (const measure of pods) expect([...recorded.keys()]).toContain(measure);
  });

  it('has a rule of prometheus-adapter for each measure, under the same name', async () => {
    const rules = await adapterRules();
    expect(rules.map(seriesOf).sort()).toEqual(MEASURES);
    // Without `name` the adapter offers a series under its own name.
    for (const { name, resources } of rules) {
      expect(name).toBeUndefined();
      expect(resources.overrides).toEqual({ namespace: { resource: 'namespace' }, pod: { resource: 'pod' } });
    }
  });

  it('asks for series that carry namespace and pod', async () => {
    const recorded = await recordings();
    for (const rule of await adapterRules()) {
      expect(rule.seriesQuery).toBe(`${seriesOf(rule)}{namespace!="",pod!=""}`);
      expect(recorded.get(seriesOf(rule))).toMatch(/by \(namespace, pod, model[,)]/);
    }
  });

  it('gets one value a pod: models added up, but for latency the slowest', async () => {
    const queries = (await adapterRules()).map((rule) => [seriesOf(rule), adapterQuery(rule, seriesOf(rule))] as const);
    for (const [series, query] of queries) {
      expect(query).not.toContain('<<');
      expect(query).toMatch(series === 'inference_latency_p95' ? /^max by \(pod\) / : /^sum by \(pod\) /);
    }
    await parseQueries(queries.map(([, query]) => query));
  });

  it('never goes to zero, and is slow to give a GPU away', async () => {
    const { minReplicas, maxReplicas, behavior } = await hpa();
    expect(minReplicas).toBeGreaterThanOrEqual(2);
    expect(maxReplicas).toBeGreaterThan(minReplicas);
    const { startupProbe } = deployment(await installation('hpa')).container;
    expect(behavior.scaleDown.stabilizationWindowSeconds).toBeGreaterThanOrEqual(
      startupProbe.periodSeconds * startupProbe.failureThreshold,
    );
  });
});

describe('the ScaledObject of KEDA', () => {
  const prometheus = async (): Promise<readonly Readonly<Record<string, string>>[]> =>
    (await keda()).triggers.filter(({ type }) => type === 'prometheus').map(({ metadata }) => metadata);

  it('scales by the same measures and targets as hpa', async () => {
    const { metrics, ...autoscaler } = await hpa();
    const { triggers, ...scaled } = await keda();
    expect(scaled.scaleTargetRef).toEqual(autoscaler.scaleTargetRef);
    expect([scaled.minReplicaCount, scaled.maxReplicaCount]).toEqual([autoscaler.minReplicas, autoscaler.maxReplicas]);
    expect(scaled.advanced.horizontalPodAutoscalerConfig.behavior).toEqual(autoscaler.behavior);
    const targets = metrics.flatMap(({ containerResource, pods }) => [
      ...(containerResource ? [[containerResource.name, containerResource.target.averageUtilization]] : []),
      ...(pods ? [[pods.metric.name, quantity(pods.target.averageValue ?? '')]] : []),
    ]);
    const thresholds = triggers.map(({ type, metadata }) => [
      type === 'prometheus' ? /inference_\w+/.exec(metadata['query'] ?? '')?.[0] : type,
      Number(type === 'prometheus' ? metadata['threshold'] : metadata['value']),
    ]);
    expect(thresholds).toEqual(targets);
  });

  it('asks Prometheus for one value of the installation, of series that our rules record', async () => {
    const recorded = await recordings();
    const queries = (await prometheus()).map(({ query = '' }) => query);
    for (const query of queries) {
      const [, series = ''] = /^(?:sum|max)\((\w+)\{namespace="penstock"\}\)$/.exec(query) ?? [];
      expect([...recorded.keys()]).toContain(series);
    }
    await parseQueries(queries);
  });

  it('takes lost pods for a failure and not for a load of zero', async () => {
    for (const metadata of await prometheus()) expect(metadata['ignoreNullValues']).toBe('false');
    const { fallback, minReplicaCount, maxReplicaCount } = await keda();
    expect(fallback.replicas).toBeGreaterThanOrEqual(minReplicaCount);
    expect(fallback.replicas).toBeLessThan(maxReplicaCount);
  });

  it('has texts only in its triggers', async () => {
    for (const { metadata } of (await keda()).triggers) for (const value of Object.values(metadata)) expect(typeof value).toBe('string');
  });
});

describe('the component vpa', () => {
  it('leaves GPUs and running pods alone', async () => {
    const spec = find(await installation('vpa'), 'VerticalPodAutoscaler')['spec'] as {
      updatePolicy: { updateMode: string };
      resourcePolicy: { containerPolicies: { containerName: string; mode?: string; controlledResources?: string[] }[] };
    };
    // A limit that changes under a running server no longer fits its threads.
    expect(['Off', 'Initial']).toContain(spec.updatePolicy.updateMode);
    const [ours, others] = spec.resourcePolicy.containerPolicies;
    expect(ours).toMatchObject({ containerName: 'penstock', controlledResources: ['cpu', 'memory'] });
    expect(others).toEqual({ containerName: '*', mode: 'Off' });
  });
});
