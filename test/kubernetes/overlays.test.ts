import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { configMapMount } from '../support/config-map-mount.js';
import { HttpClient } from '../support/clients.js';
import { ServerProcess } from '../support/server-process.js';
import { build, find, k8s, type Manifest } from './kustomize.js';
import { filesOf, named, podOf } from './pod-parts.js';
import { containersOf, matches, podTemplates, type PodSpec } from './workloads.js';

/** All that can be applied: folders of k8s/overlays, and one deeper where an overlay has parts of its own. */
const overlays = readdirSync(join(k8s, 'overlays'), { recursive: true, encoding: 'utf8' })
  .filter((folder) => existsSync(join(k8s, 'overlays', folder, 'kustomization.yaml')))
  .filter((folder) => !/^multi-model\/|\/common$/.test(folder));

const CLUSTER_WIDE = ['Namespace', 'PriorityClass', 'ClusterRole', 'ClusterRoleBinding'];

/** Serves what a Deployment would serve: its models as the kubelet mounts them, its options file, its variables. */
async function serve(manifests: readonly Manifest[], name = 'penstock'): Promise<HttpClient> {
  const pod = podOf(find(manifests, 'Deployment', name));
  const container = named(pod.containers, 'penstock');
  const mounted = (volume: string): string => {
    const { configMap } = named(pod.volumes, volume);
    if (configMap === undefined) throw new Error(`the volume ${volume} is no ConfigMap`);
    return configMapMount(filesOf(find(manifests, 'ConfigMap', configMap.name), configMap.items));
  };
  expect(container.args).toEqual(['serve', '--config', '/etc/penstock/penstock.yaml']);
  const server = await ServerProcess.start({
    repositories: [mounted('models')],
    flags: ['--config', join(mounted('config'), 'penstock.yaml'), '--strict-readiness', 'true'],
    env: Object.fromEntries((container.env ?? []).map((variable) => [variable.name, variable.value ?? ''])),
  });
  const http = new HttpClient(server.httpUrl);
  onTestFinished(async () => {
    await http.close();
    await server.stop();
  });
  return http;
}

describe.each(overlays)('the overlay %s', (overlay) => {
  let manifests: readonly Manifest[] = [];
  beforeAll(async () => {
    manifests = await build(join('overlays', overlay));
  });

  it('brings its own namespace, and everything lies in it', () => {
    const { metadata } = find(manifests, 'Namespace');
    const strays = manifests.filter(({ kind, metadata: { namespace } }) => !CLUSTER_WIDE.includes(kind) && namespace !== metadata.name);
    expect(strays.map(({ kind, metadata: { name } }) => `${kind} ${name}`)).toEqual([]);
  });

  it('asks for the privileged level just where the disk of the node is mounted', () => {
    const mountsNode = podTemplates(manifests).some(({ spec }) => spec.volumes?.some(({ hostPath }) => hostPath !== undefined));
    const labels = find(manifests, 'Namespace').metadata.labels ?? {};
    expect(labels['pod-security.kubernetes.io/enforce']).toBe(mountsNode ? 'privileged' : 'restricted');
    expect(labels['pod-security.kubernetes.io/warn']).toBe('restricted');
  });

  it('sends requests to servers alone, not to the pods of jobs', () => {
    for (const service of manifests.filter(({ kind }) => kind === 'Service')) {
      const { selector } = service.spec as { selector: Record<string, string> };
      const found = podTemplates(manifests).filter(({ metadata }) => matches({ matchLabels: selector }, metadata.labels));
      expect(found, service.metadata.name).toHaveLength(1);
      expect(found[0]?.spec.containers.map(({ name }) => name)).toContain('penstock');
    }
  });

  it('runs one image of the server everywhere, and no image without a tag', () => {
    const containers = podTemplates(manifests).flatMap(containersOf);
    expect(new Set(containers.map(({ image = '' }) => image).filter((image) => /(^|\/)penstock[:@]/.test(image))).size).toBe(1);
    for (const { image } of containers) expect(image).toMatch(/:[\w.-]+$|@sha256:/);
  });
});

describe('the overlay dev', () => {
  it('serves its models with nothing but the image', async () => {
    const http = await serve(await build('overlays/dev'));
    for (const model of ['digits', 'digits/versions/1', 'add_sub']) {
      expect((await http.get(`/v2/models/${model}/ready`)).status, model).toBe(200);
    }
  });

  it('can be applied: its models fit the annotation that kubectl apply keeps them in', async () => {
    const manifests = await build('overlays/dev');
    const models = manifests.find(({ metadata }) => metadata.name.startsWith('penstock-model-example-'));
    expect(JSON.stringify(models).length).toBeLessThan(256 * 1024 - 1024);
  });
});

describe('the overlay multi-model', () => {
  it('has instances that share nothing', async () => {
    const manifests = (await build('overlays/multi-model')).filter(({ kind }) => kind !== 'Namespace');
    const instances = ['digits', 'add-sub'].map((instance) =>
      manifests.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/instance'] === instance),
    );
    expect(instances.map((objects) => objects.map(({ kind }) => kind).sort()).map((kinds) => kinds.join())).toEqual([
      expect.stringContaining('ConfigMap,ConfigMap,Deployment'),
      instances[0]
        ?.map(({ kind }) => kind)
        .sort()
        .join(),
    ]);
    expect(instances.flat()).toHaveLength(manifests.length);
    for (const kind of ['PodDisruptionBudget', 'NetworkPolicy', 'Deployment']) {
      for (const [index, instance] of ['digits', 'add-sub'].entries()) {
        const { spec } = find(instances[index] ?? [], kind) as unknown as { spec: Record<string, { matchLabels: Record<string, string> }> };
        const selector = spec['selector'] ?? spec['podSelector'];
        expect(selector?.matchLabels, kind).toMatchObject({ 'app.kubernetes.io/instance': instance });
      }
    }
  });

  it.each([
    ['digits', 'digits', 'add_sub'],
    ['add-sub', 'add_sub', 'digits'],
  ])('serves in the instance %s its own model and not the other', async (instance, own, other) => {
    const http = await serve(await build('overlays/multi-model'), `penstock-${instance}`);
    expect((await http.get(`/v2/models/${own}/ready`)).status).toBe(200);
    expect((await http.get(`/v2/models/${other}`)).status).toBe(404);
  });
});

describe('the overlay edge', () => {
  it('runs one server a node, which is replaced in its place', async () => {
    const manifests = await build('overlays/edge');
    expect(manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'PodDisruptionBudget')).toEqual([]);
    const { spec } = find(manifests, 'DaemonSet') as unknown as { spec: Record<string, unknown> };
    expect(Object.keys(spec).sort()).toEqual(['revisionHistoryLimit', 'selector', 'template', 'updateStrategy']);
    expect(spec['updateStrategy']).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } });
  });

  it('has clients reach the server of their own node', async () => {
    const manifests = await build('overlays/edge');
    expect(find(manifests, 'Service', 'penstock').spec).toMatchObject({ internalTrafficPolicy: 'Local' });
  });
});

describe('the overlay multi-region', () => {
  it('copies from the home region to the place that the others read', async () => {
    const [home, other] = await Promise.all(['eu-west', 'us-east'].map((region) => build(`overlays/multi-region/${region}`)));
    const job = (manifests: readonly Manifest[] = []): PodSpec => podOf(find(manifests, 'CronJob'));
    const store = (pod: PodSpec): unknown => named(named(pod.containers, 'rclone').env, 'MODEL_STORE').value;
    expect(store(job(home))).toBe(store(job(other)));
    for (const manifests of [home, other]) {
      const claim = find(manifests ?? [], 'PersistentVolumeClaim').metadata.name;
      expect(named(job(manifests).volumes, 'models').persistentVolumeClaim?.claimName).toBe(claim);
    }
  });
});
