import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { OPTION_ROWS } from '../../src/config/options.js';
import { acceptsNode, deployment, installation, serverOptions } from './deployment.js';
import { build, find } from './kustomize.js';
import { quantity } from './workloads.js';

/** Labels of GPU Feature Discovery: docs/gpu-feature-discovery/README.md of NVIDIA/k8s-device-plugin. */
const T4 = {
  'nvidia.com/gpu.product': 'Tesla-T4',
  'nvidia.com/gpu.family': 'turing',
  'nvidia.com/gpu.memory': '15360',
  'nvidia.com/gpu.replicas': '1',
  'nvidia.com/gpu.sharing-strategy': 'none',
  'nvidia.com/cuda.runtime-version.major': '13',
};
const H200 = { ...T4, 'nvidia.com/gpu.product': 'NVIDIA-H200', 'nvidia.com/gpu.family': 'hopper', 'nvidia.com/gpu.memory': '143771' };
const SHARED = {
  ...H200,
  'nvidia.com/gpu.product': 'NVIDIA-H200-SHARED',
  'nvidia.com/gpu.replicas': '4',
  'nvidia.com/gpu.sharing-strategy': 'time-slicing',
};

/** How each of them asks for its part of a GPU. */
const WAYS = [
  ['gpu', { 'nvidia.com/gpu': '1' }],
  ['mig', { 'nvidia.com/mig-1g.10gb': '1' }],
  ['gpu-sharing', { 'nvidia.com/gpu': '1' }],
  ['dra', {}],
] as const;

function devices(quantities: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(quantities).filter(([name]) => name.includes('/')));
}

describe.each(WAYS)('the component %s', (name, asked) => {
  it('asks for its device and no other, and requests what it is limited to', async () => {
    const { container } = deployment(await installation(name));
    expect(devices(container.resources.limits)).toEqual(asked);
    expect(container.resources.requests).toEqual(container.resources.limits);
  });

  it('runs the image with CUDA, on nodes that are tainted for GPUs', async () => {
    const { container, pod } = deployment(await installation(name));
    expect(container.image).toBe('penstock:0.1.0-cuda');
    expect(pod.tolerations.map(({ key }) => key)).toEqual(['nvidia.com/gpu']);
  });

  it('frees a device before it takes one, so that a rollout ends on full nodes', async () => {
    const { strategy } = deployment(await installation(name));
    expect(strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } });
  });

  it('allows for a fabric that comes up late, and for models that load for ten minutes more', async () => {
    const manifests = await installation(name);
    const { container, progressDeadlineSeconds } = deployment(manifests);
    const startupSecs = container.startupProbe.periodSeconds * container.startupProbe.failureThreshold;
    expect(startupSecs).toBeGreaterThanOrEqual(serverOptions(manifests).gpuWaitSecs + 600);
    expect(progressDeadlineSeconds).toBeGreaterThan(startupSecs);
  });

  it('keeps what other components give the same lists, in either order', async () => {
    const others = ['spot', 'spread', 'priority', 'hpa'];
    const [first, second] = await Promise.all([installation(name, ...others), installation(...others, name)]);
    for (const { pod, container } of [deployment(first), deployment(second)]) {
      expect(pod.tolerations.map(({ key }) => key)).toEqual(expect.arrayContaining(['nvidia.com/gpu', 'cloud.google.com/gke-spot']));
      expect(pod.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution).toHaveLength(4);
      expect(pod.affinity?.podAntiAffinity).toBeDefined();
      expect(devices(container.resources.limits)).toEqual(asked);
    }
    expect(deployment(first).pod.affinity).toEqual(deployment(second).pod.affinity);
  });
});

describe('nodes', () => {
  it('of gpu are those with the memory, the driver and the generation that it needs', async () => {
    const { pod } = deployment(await installation('gpu'));
    expect(acceptsNode(pod, T4)).toBe(true);
    expect(acceptsNode(pod, H200)).toBe(true);
    expect(acceptsNode(pod, { ...T4, 'nvidia.com/gpu.memory': '8192' })).toBe(false);
    expect(acceptsNode(pod, SHARED)).toBe(false);
    expect(acceptsNode(pod, { ...T4, 'nvidia.com/cuda.runtime-version.major': '12' })).toBe(false);
    expect(acceptsNode(pod, { ...T4, 'nvidia.com/gpu.family': 'volta' })).toBe(false);
    expect(acceptsNode(pod, {})).toBe(false);
  });

  it('of gpu-sharing are those that share', async () => {
    const { pod } = deployment(await installation('gpu-sharing'));
    expect(acceptsNode(pod, SHARED)).toBe(true);
    expect(acceptsNode(pod, H200)).toBe(false);
  });

  it('of mig are those with slices of several sizes', async () => {
    const { pod } = deployment(await installation('mig'));
    expect(acceptsNode(pod, { ...H200, 'nvidia.com/mig.strategy': 'mixed' })).toBe(true);
    expect(acceptsNode(pod, { ...H200, 'nvidia.com/mig.strategy': 'single' })).toBe(false);
  });

  it('of dra are left to the claim', async () => {
    const manifests = await installation('dra');
    const { pod, container } = deployment(manifests);
    expect(acceptsNode(pod, {})).toBe(true);
    expect(container.resources.claims).toEqual([{ name: 'gpu' }]);
    const template = find(manifests, 'ResourceClaimTemplate');
    expect(pod.resourceClaims).toEqual([{ name: 'gpu', resourceClaimTemplateName: template.metadata.name }]);
    // Version v1 has the request one level deeper than the betas.
    expect(template.apiVersion).toBe('resource.k8s.io/v1');
    expect(template['spec']).toMatchObject({ spec: { devices: { requests: [{ exactly: { deviceClassName: 'gpu.nvidia.com' } }] } } });
  });
});

describe('shared GPUs', () => {
  const replicas = async (method: string): Promise<number> => {
    const config = find(await build('components/gpu-sharing/operator'), 'ConfigMap')['data'] as Record<string, string>;
    const { sharing } = parse(config[method === 'mps' ? 'mps' : 'time-slicing'] ?? '') as {
      sharing: Record<string, { failRequestsGreaterThanOne: boolean; resources: { name: string; replicas: number }[] }>;
    };
    // The plugin takes one method for a node; with two, MPS would win without a word.
    expect(Object.keys(sharing)).toEqual([method]);
    expect(sharing[method]).toMatchObject({ failRequestsGreaterThanOne: true, resources: [{ name: 'nvidia.com/gpu' }] });
    return sharing[method]?.resources[0]?.replicas ?? 0;
  };

  it.each(['timeSlicing', 'mps'])('by %s leave a batch as many times the time before it counts as hung', async (method) => {
    const alone = OPTION_ROWS.find(([name]) => name === 'gpuWatchdogMs')?.[1].default as number;
    const { gpuWatchdogMs } = serverOptions(await installation('gpu-sharing'));
    expect(gpuWatchdogMs).toBe((await replicas(method)) * alone);
  });

  it('keep together no more memory for probes than one pod alone', async () => {
    const alone = OPTION_ROWS.find(([name]) => name === 'gpuProbeBytes')?.[1].default as number;
    const { gpuProbeBytes } = serverOptions(await installation('gpu-sharing'));
    expect(gpuProbeBytes * (await replicas('mps'))).toBe(alone);
  });

  it('leave /dev/shm to the daemon of MPS, which the device plugin mounts there', async () => {
    const { pod, container } = deployment(await installation('gpu-sharing'));
    expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toEqual(['/etc/penstock', '/models']);
    expect(pod.volumes.map(({ name }) => name)).toEqual(['config', 'models']);
  });

  it('take smaller pods than whole ones', async () => {
    const [whole, share] = [deployment(await installation('gpu')), deployment(await installation('gpu-sharing'))];
    for (const name of ['cpu', 'memory'])
      expect(quantity(share.container.resources.limits[name] ?? '')).toBeLessThan(quantity(whole.container.resources.limits[name] ?? ''));
  });
});

describe('the component runtimeclass', () => {
  it('names the class and leaves it to the cluster', async () => {
    const manifests = await installation('gpu', 'runtimeclass');
    expect(deployment(manifests).pod.runtimeClassName).toBe('nvidia');
    expect(manifests.filter(({ kind }) => kind === 'RuntimeClass')).toEqual([]);
  });
});
