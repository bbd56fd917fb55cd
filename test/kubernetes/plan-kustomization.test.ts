import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { planKustomization, type KustomizationSettings } from '../../src/planning/plan/kustomization.js';
import { repositoryRoot } from '../support/server-process.js';
import { EXAMPLE_PLAN } from '../unit/planning/plan/example-plan.js';
import { build, find, type Manifest } from './kustomize.js';
import { conforms } from './schema.js';

const ON_CPU = { gpu: null, cpus: 2 };

/** What Kustomize makes of a plan's file, in a folder where it was written to. */
async function built(settings: Partial<KustomizationSettings>, plan = EXAMPLE_PLAN): Promise<Manifest[]> {
  const out = mkdtempSync(join(repositoryRoot, 'build', 'plan-kustomization-'));
  onTestFinished(() => rmSync(out, { recursive: true }));
  const text = planKustomization(plan, {
    autoscaler: 'none',
    k8s: '',
    out,
    hardware: ON_CPU,
    sharedBy: 1,
    cpuMsPerRequest: null,
    ...settings,
  });
  writeFileSync(join(out, 'kustomization.yaml'), text ?? '');
  const manifests = await build(out);
  expect(await conforms(manifests)).toEqual([]);
  return manifests;
}

interface Deployment {
  readonly replicas?: number;
  readonly template: { readonly spec: { readonly containers: readonly { readonly resources: unknown; readonly env?: unknown }[] } };
}

const deployment = (manifests: readonly Manifest[]): Deployment => find(manifests, 'Deployment', 'penstock')['spec'] as Deployment;

describe('the kustomization of a plan', () => {
  it('has the replicas and the cores that were measured with', async () => {
    const { replicas, template } = deployment(await built({}));
    expect(replicas).toBe(3);
    expect(template.spec.containers[0]?.resources).toEqual({ requests: { cpu: '2', memory: '2Gi' }, limits: { cpu: '2', memory: '2Gi' } });
    expect(template.spec.containers[0]?.env).toContainEqual({ name: 'PENSTOCK_CPU_THREADS', value: '1' });
  });

  it('gives each replica a GPU where one was measured', async () => {
    const { template } = deployment(await built({ hardware: { gpu: 'NVIDIA H100 80GB HBM3', cpus: 16 } }));
    expect(template.spec.containers[0]?.resources).toMatchObject({ limits: { 'nvidia.com/gpu': '1', cpu: '4' } });
  });

  it('gives each replica as many GPUs as were measured, and the cores that its requests take', async () => {
    const hardware = { gpu: 'NVIDIA H100 80GB HBM3', gpus: 2, cpus: 16 };
    // 1500 requests of 4 ms are 6 cores, four fifths of 7.5.
    const { template } = deployment(await built({ hardware, cpuMsPerRequest: 4 }));
    const amounts = { 'nvidia.com/gpu': '2', cpu: '8', memory: '8Gi' };
    expect(template.spec.containers[0]?.resources).toEqual({ requests: amounts, limits: amounts });
  });

  it('takes a share of a GPU where models share it', async () => {
    const manifests = await built({ hardware: { gpu: 'NVIDIA L4', gpus: 1, cpus: 8 }, sharedBy: 4, cpuMsPerRequest: 0.1 });
    expect(JSON.stringify(find(manifests, 'Deployment', 'penstock'))).toContain('nvidia.com/gpu.replicas');
    expect(deployment(manifests).template.spec.containers[0]?.resources).toMatchObject({ limits: { cpu: '2' } });
  });

  it.each(['hpa', 'keda'] as const)('has no target for p95 in %s where the goal says nothing about it', async (autoscaler) => {
    const manifests = await built({ autoscaler }, { ...EXAMPLE_PLAN, goal: { percentile: 50, latencyMs: 20 } });
    const scaler = JSON.stringify(find(manifests, autoscaler === 'hpa' ? 'HorizontalPodAutoscaler' : 'ScaledObject'));
    expect(scaler).not.toContain('inference_latency_p95');
    expect(scaler).toContain('inference_requests_per_second');
    expect(scaler).toContain('1120');
  });

  it('keeps targets below ten requests a second exact', async () => {
    const { autoscaling } = EXAMPLE_PLAN;
    if (autoscaling === null) throw new Error('the example scales');
    const plan = { ...EXAMPLE_PLAN, autoscaling: { ...autoscaling, targetRate: 0.3004 } };
    expect(JSON.stringify(find(await built({ autoscaler: 'hpa' }, plan), 'HorizontalPodAutoscaler'))).toContain('"averageValue":"300m"');
    expect(JSON.stringify(find(await built({ autoscaler: 'keda' }, plan), 'ScaledObject'))).toContain('"threshold":"0.3"');
  });

  it('finds k8s from a folder that a link leads to, and from where the command runs', () => {
    const real = mkdtempSync(join(repositoryRoot, 'build', 'plan-kustomization-'));
    const link = join(tmpdir(), `penstock-link-${process.pid}`);
    symlinkSync(real, link);
    onTestFinished(() => {
      rmSync(real, { recursive: true });
      rmSync(link);
    });
    for (const k8s of ['', join(repositoryRoot, 'k8s')]) {
      const settings = { autoscaler: 'none', k8s, out: link, hardware: ON_CPU, sharedBy: 1, cpuMsPerRequest: null } as const;
      expect(planKustomization(EXAMPLE_PLAN, settings)).toContain('- ../../k8s/base\n');
    }
  });

  it('is none where there are more replicas than a Deployment may have', () => {
    const replicas = EXAMPLE_PLAN.replicas === null ? null : { ...EXAMPLE_PLAN.replicas, total: 100_000 };
    const settings = { autoscaler: 'none', k8s: '', out: '/tmp', hardware: ON_CPU, sharedBy: 1, cpuMsPerRequest: null } as const;
    expect(planKustomization({ ...EXAMPLE_PLAN, replicas }, settings)).toBeUndefined();
  });

  it('scales by a HorizontalPodAutoscaler before a replica is saturated', async () => {
    const manifests = await built({ autoscaler: 'hpa', cpuMsPerRequest: 1.6 });
    const { minReplicas, maxReplicas, metrics } = find(manifests, 'HorizontalPodAutoscaler')['spec'] as {
      minReplicas: number;
      maxReplicas: number;
      metrics: readonly object[];
    };
    expect([minReplicas, maxReplicas]).toEqual([3, 6]);
    const pods = (name: string, averageValue: string): object => ({
      type: 'Pods',
      pods: { metric: { name }, target: { type: 'AverageValue', averageValue } },
    });
    expect(metrics).toContainEqual(pods('inference_requests_per_second', '1120'));
    expect(metrics).toContainEqual(pods('inference_latency_p95', '20m'));
    expect(metrics).toContainEqual(pods('inference_queue_depth', '22'));
    // 1120 requests of 1.6 ms are 1.79 of 2 cores: 90 %, and a little more.
    expect(metrics[0]).toMatchObject({ containerResource: { name: 'cpu', target: { averageUtilization: 95 } } });
    expect(deployment(manifests).replicas).toBeUndefined();
  });

  it('scales by KEDA with the same targets', async () => {
    const { minReplicaCount, maxReplicaCount, fallback, triggers } = find(await built({ autoscaler: 'keda' }), 'ScaledObject')['spec'] as {
      minReplicaCount: number;
      maxReplicaCount: number;
      fallback: { replicas: number };
      triggers: readonly { name?: string; type: string; metadata: { threshold?: string; value?: string } }[];
    };
    expect([minReplicaCount, maxReplicaCount, fallback.replicas]).toEqual([3, 6, 3]);
    expect(Object.fromEntries(triggers.map(({ name, type, metadata }) => [name ?? type, metadata.threshold ?? metadata.value]))).toEqual({
      cpu: '80',
      memory: '90',
      'queue-depth': '22',
      'latency-p95': '0.02',
      'requests-per-second': '1120',
    });
  });

  it('names a folder elsewhere as it is told', () => {
    const settings = {
      autoscaler: 'none',
      k8s: 'https://git.example.com/p//k8s?ref=v1',
      out: '/tmp',
      hardware: ON_CPU,
      sharedBy: 1,
    } as const;
    expect(planKustomization(EXAMPLE_PLAN, { ...settings, cpuMsPerRequest: null })).toContain(
      '- https://git.example.com/p//k8s/base?ref=v1\n',
    );
  });

  it('is none where no setting meets the goal', () => {
    const settings = { autoscaler: 'none', k8s: '', out: '/tmp', hardware: ON_CPU, sharedBy: 1, cpuMsPerRequest: null } as const;
    expect(planKustomization({ ...EXAMPLE_PLAN, replicas: null }, settings)).toBeUndefined();
  });
});
