import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readCatalog } from '../../src/manifests/catalog.js';
import { repositoryRoot } from '../support/server-process.js';
import { build, find, k8s, type Manifest } from './kustomize.js';
import { conforms } from './schema.js';

const program = join(repositoryRoot, 'dist/main.js');
/** While a program runs no test can time out. */
const TIMEOUT_MS = 30_000;
const digest = 'c'.repeat(64);

function newFolder(): string {
  const folder = mkdtempSync(join(repositoryRoot, 'build', 'manifests-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function run(folder: string, flags: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [program, 'manifests', ...flags], { cwd: folder, encoding: 'utf8', timeout: TIMEOUT_MS });
}

/** What Kustomize makes of the command's output, in a new folder. */
async function built(...flags: readonly string[]): Promise<Manifest[]> {
  const folder = newFolder();
  const { status, stdout, stderr } = run(folder, flags);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return buildText(folder, stdout);
}

async function buildText(folder: string, kustomization: string): Promise<Manifest[]> {
  writeFileSync(join(folder, 'kustomization.yaml'), kustomization);
  const manifests = await build(folder);
  expect(await conforms(manifests)).toEqual([]);
  return manifests;
}

interface Container {
  readonly image: string;
  readonly resources: { readonly limits: Readonly<Record<string, string>> };
}

interface PodTemplate {
  readonly replicas?: number;
  readonly template: {
    readonly spec: {
      readonly containers: readonly Container[];
      readonly initContainers?: readonly Container[];
      readonly volumes: readonly { readonly name: string; readonly [kind: string]: unknown }[];
    };
  };
}

const deployment = (manifests: readonly Manifest[]): PodTemplate => find(manifests, 'Deployment', 'penstock')['spec'] as PodTemplate;
const models = (manifests: readonly Manifest[]): object | undefined =>
  deployment(manifests).template.spec.volumes.find(({ name }) => name === 'models');

describe('penstock manifests', () => {
  it('prints an installation with the example models that builds as it is', async () => {
    const manifests = await built();
    expect(find(manifests, 'Namespace').metadata.name).toBe('penstock');
    expect(models(manifests)).toMatchObject({ configMap: {} });
    expect(deployment(manifests).template.spec.containers[0]?.image).toBe('penstock:0.1.0-cpu');
  });

  it('builds with each component', async () => {
    for (const { name } of readCatalog(k8s).filter(({ name: one }) => !one.startsWith('model-'))) {
      expect((await built('--component', name)).length, name).toBeGreaterThan(7);
    }
  });

  it.each([
    ['gpu', 'nvidia.com/gpu'],
    ['mig', 'nvidia.com/mig-'],
    ['gpu-sharing', 'nvidia.com/gpu'],
  ])('asks for what each pod gets with --gpu %s, in an image with CUDA', async (kind, resource) => {
    const [container] = deployment(await built('--gpu', kind)).template.spec.containers;
    expect(container?.image).toBe('penstock:0.1.0-cuda');
    expect(Object.keys(container?.resources.limits ?? {}).some((name) => name.startsWith(resource))).toBe(true);
  });

  it('names the image as the registry does, in every container', async () => {
    const source = ['--model-source', 'https://models.example.com/m.tar', '--model-checksum', `sha256:${digest}`];
    const { containers, initContainers = [] } = deployment(
      await built('--gpu', 'gpu', '--image', 'registry.example.com/penstock', ...source),
    ).template.spec;
    expect([...containers, ...initContainers].map(({ image }) => image)).toEqual(Array(2).fill('registry.example.com/penstock:0.1.0-cuda'));
  });

  it('says where the models come from', async () => {
    const download = ['--model-source', 'https://h/m.onnx', '--model-checksum', `sha256:${digest}`, '--model-as', 'm/1/model.onnx'];
    const configMaps = (await built(...download)).filter(({ kind }) => kind === 'ConfigMap');
    expect(configMaps.map(({ data }) => data)).toContainEqual({
      MODEL_URI: 'https://h/m.onnx',
      MODEL_CHECKSUM: `sha256:${digest}`,
      MODEL_AS: 'm/1/model.onnx',
    });
    const claim = await built('--model-source', 'pvc://my-claim');
    expect(models(claim)).toMatchObject({ persistentVolumeClaim: { claimName: 'my-claim', readOnly: true } });
    expect(claim.filter(({ kind }) => kind === 'PersistentVolumeClaim')).toEqual([]);
    expect(find(await built('--model-source', 'pvc://'), 'PersistentVolumeClaim').metadata.name).toBe('penstock-models');
    const image = await built('--model-source', `oci://registry.example.com/m@sha256:${digest}`);
    expect(models(image)).toMatchObject({ image: { reference: `registry.example.com/m@sha256:${digest}`, pullPolicy: 'IfNotPresent' } });
  });

  it('sets the number of replicas, or from that to twice as many where a component scales them', async () => {
    expect(deployment(await built('--replicas', '5')).replicas).toBe(5);
    const hpa = await built('--replicas', '5', '--component', 'hpa');
    expect(find(hpa, 'HorizontalPodAutoscaler')['spec']).toMatchObject({ minReplicas: 5, maxReplicas: 10 });
    expect(deployment(hpa).replicas).toBeUndefined();
    expect(find(await built('--replicas', '5', '--component', 'keda'), 'ScaledObject')['spec']).toMatchObject({
      minReplicaCount: 5,
      maxReplicaCount: 10,
    });
    expect(find(await built('--replicas', '5', '--component', 'rollout-canary'), 'Rollout')['spec']).toMatchObject({ replicas: 5 });
  });

  it('leaves the pods to a rollout, and its replicas to an autoscaler, with each kind of rollout', async () => {
    for (const rollout of ['rollout-canary', 'rollout-canary-istio', 'rollout-bluegreen']) {
      const fixed = await built('--replicas', '5', '--component', rollout);
      expect(deployment(fixed).replicas, rollout).toBe(0);
      expect(find(fixed, 'Rollout')['spec'], rollout).toMatchObject({ replicas: 5 });
      for (const [autoscaler, kind] of [
        ['hpa', 'HorizontalPodAutoscaler'],
        ['keda', 'ScaledObject'],
      ] as const) {
        const scaled = await built('--component', `${autoscaler},${rollout}`);
        expect(find(scaled, 'Rollout')['spec'], `${rollout} with ${autoscaler}`).not.toHaveProperty('replicas');
        expect(find(scaled, kind)['spec'], `${rollout} with ${autoscaler}`).toMatchObject({ scaleTargetRef: { kind: 'Rollout' } });
      }
      const sized = find(await built('--component', `vpa,${rollout}`), 'VerticalPodAutoscaler');
      expect(sized['spec'], `${rollout} with vpa`).toMatchObject({ targetRef: { kind: 'Rollout' } });
    }
  });

  it('keeps names that YAML takes for something else', async () => {
    for (const name of ['no', 'y', '0b1']) {
      const manifests = await built(
        '--namespace',
        name,
        '--image',
        `registry.example.com/penstock:${name}`,
        '--model-source',
        `pvc://${name}`,
      );
      expect(deployment(manifests).template.spec.containers[0]?.image).toBe(`registry.example.com/penstock:${name}`);
      expect(find(manifests, 'Deployment', 'penstock').metadata.namespace).toBe(name);
      expect(models(manifests)).toMatchObject({ persistentVolumeClaim: { claimName: name } });
    }
  });

  it('names the folder k8s by a relative path from inside of it, too', () => {
    expect(run(k8s, []).stdout).toContain('- ./base\n');
  });

  it('asks Prometheus about the namespace of the installation', async () => {
    const scaled = find(await built('--namespace', 'team-a', '--component', 'keda'), 'ScaledObject')['spec'] as {
      readonly triggers: readonly { readonly metadata: { readonly query?: string } }[];
    };
    const queries = scaled.triggers.flatMap(({ metadata }) => metadata.query ?? []);
    expect(queries).toHaveLength(3);
    for (const query of queries) expect(query).toContain('{namespace="team-a"}');
  });

  it('refers to a release in a repository when the folder is given as a URL', () => {
    const { stdout } = run(newFolder(), ['--k8s', 'https://git.example.com/penstock//k8s?ref=v0.1.0', '--component', 'spread']);
    expect(stdout).toContain('- https://git.example.com/penstock//k8s/base?ref=v0.1.0');
    expect(stdout).toContain('- https://git.example.com/penstock//k8s/components/spread?ref=v0.1.0');
  });

  it('says everything that is wrong, and prints nothing', () => {
    const { status, stdout, stderr } = run(newFolder(), ['--gpu', 'tpu', '--component', 'hpa,keda']);
    expect(status).toBe(64);
    expect(stdout).toBe('');
    expect(stderr).toContain('--gpu: "tpu" is not one of');
    expect(stderr).toContain('hpa and keda exclude each other');
  });

  it('asks on a terminal what no flag says, and keeps the questions out of the output', async () => {
    const folder = newFolder();
    const command = `${process.execPath} ${program} manifests > answers.yaml`;
    const input = ['registry.example.com/penstock', 'gpu', 'example', '3', 'spread, monitoring', ''].join('\n');
    const { stdout } = spawnSync('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      cwd: folder,
      encoding: 'utf8',
      input,
      timeout: TIMEOUT_MS,
    });
    expect(stdout).toContain('GPU for each pod');
    const manifests = await buildText(folder, readFileSync(join(folder, 'answers.yaml'), 'utf8'));
    expect(deployment(manifests).replicas).toBe(3);
    expect(find(manifests, 'ServiceMonitor').metadata.namespace).toBe('penstock');
  });
});
