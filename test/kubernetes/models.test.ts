import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { logLines } from '../support/log-lines.js';
import { ServerProcess, shippedModels } from '../support/server-process.js';
import { SERVER_COMMAND as entrypoint } from './container.js';
import { runContainer } from './container-run.js';
import { compose, find, type Manifest } from './kustomize.js';
import { skipWithoutOwnRoot } from './own-root.js';
import { filesOf, named, podOf } from './pod-parts.js';
import type { PodSpec } from './workloads.js';

const serverPod = (manifests: readonly Manifest[]): PodSpec => podOf(find(manifests, 'Deployment'));
const generated = (manifests: readonly Manifest[]): Manifest =>
  manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && /^penstock-models-/.test(metadata.name)) as Manifest;

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-models-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const sha256 = (file: string): string => `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`;

/** What an overlay does to say where the models come from. */
const modelsFrom = (data: Readonly<Record<string, string>>): object => ({
  patches: [{ patch: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'penstock-models' }, data }) }],
});

describe.each([
  ['model-download', 'emptyDir'],
  ['model-pvc', 'persistentVolumeClaim'],
  ['model-oci', 'image'],
  ['model-example', 'configMap'],
])('the component %s', (component, source) => {
  it('gives the models one source, which the server cannot write to', async () => {
    const { containers, volumes } = serverPod(await compose({ components: [component] }));
    expect(Object.keys(named(volumes, 'models')).sort()).toEqual([source, 'name'].sort());
    expect(named(named(containers, 'penstock').volumeMounts, 'models')).toMatchObject({ mountPath: '/models', readOnly: true });
  });
});

describe('the component model-download', () => {
  it('writes in the init container alone, which is as restricted as the server', async () => {
    const { initContainers, containers, volumes } = serverPod(await compose({ components: ['model-download'] }));
    const download = named(initContainers, 'model-download');
    expect(download.securityContext).toEqual(named(containers, 'penstock').securityContext);
    expect(download.volumeMounts).toEqual([{ name: 'models', mountPath: '/models' }]);
    expect(named(volumes, 'models').emptyDir?.sizeLimit).toMatch(/^\d+Gi$/);
    expect(download.resources?.limits).toHaveProperty('memory');
  });

  it.each([[['model-download', 'gpu']], [['gpu', 'model-download']]])('downloads with the image that serves: %s', async (components) => {
    const images = [{ name: 'penstock', newName: 'registry.example.com/penstock' }];
    const { initContainers, containers } = serverPod(await compose({ components, images }));
    expect(named(containers, 'penstock').image).toBe('registry.example.com/penstock:0.1.0-cuda');
    expect(named(initContainers, 'model-download').image).toBe(named(containers, 'penstock').image);
  });

  it('rolls the pods when the checksum changes', async () => {
    const names = await Promise.all(
      ['1', '2'].map(async (digit) => {
        const manifests = await compose({
          components: ['model-download'],
          ...modelsFrom({ MODEL_CHECKSUM: `sha256:${digit.repeat(64)}` }),
        });
        const { name } = generated(manifests).metadata;
        expect(named(serverPod(manifests).initContainers, 'model-download').envFrom).toEqual([{ configMapRef: { name } }]);
        return name;
      }),
    );
    expect(new Set(names).size).toBe(2);
  });

  it('lets the pods out to HTTPS and to nothing else', async () => {
    const policy = find(await compose({ components: ['model-download'] }), 'NetworkPolicy', 'penstock-model-download');
    expect(policy.spec).toMatchObject({ policyTypes: ['Egress'], egress: [{ ports: [{ port: 443, protocol: 'TCP' }] }] });
  });
});

describe('the init container of model-download', () => {
  beforeEach(skipWithoutOwnRoot);

  it('runs a command that fetches a model to where the server looks for it, once', async () => {
    const file = join(shippedModels, 'digits/2/model.onnx');
    const data = { MODEL_URI: `file://${file}`, MODEL_CHECKSUM: sha256(file), MODEL_AS: 'digits/2/model.onnx' };
    const manifests = await compose({ components: ['model-download'], ...modelsFrom(data) });
    const models = emptyFolder();
    const download = named(serverPod(manifests).initContainers, 'model-download');
    const run = () => runContainer(download, { entrypoint, volumes: { models }, manifests });
    expect(await run()).toMatchObject({ code: 0 });
    const pulled = join(models, 'digits/2/model.onnx');
    expect(readFileSync(pulled).equals(readFileSync(file))).toBe(true);
    const { ino } = statSync(pulled);
    expect(await run()).toMatchObject({ code: 0 });
    expect(statSync(pulled).ino).toBe(ino);
  });

  it('fills the repository from an archive, as it is set at first, and the server serves it', async () => {
    const archive = join(emptyFolder(), 'repository.tar.gz');
    execFileSync('tar', [
      '-czf',
      archive,
      '-C',
      shippedModels,
      'digits/config.pbtxt',
      'digits/1',
      'digits/2',
      'add_sub/config.pbtxt',
      'add_sub/1',
    ]);
    const data = { MODEL_URI: `file://${archive}`, MODEL_CHECKSUM: sha256(archive) };
    const manifests = await compose({ components: ['model-download'], ...modelsFrom(data) });
    const models = emptyFolder();
    const download = named(serverPod(manifests).initContainers, 'model-download');
    expect(await runContainer(download, { entrypoint, volumes: { models }, manifests })).toMatchObject({ code: 0 });
    const server = await ServerProcess.start({ repositories: [models], flags: ['--strict-readiness', 'true'] });
    onTestFinished(async () => void (await server.stop()));
    for (const model of ['digits/versions/1', 'digits/versions/2', 'add_sub']) {
      expect((await fetch(`${server.httpUrl}/v2/models/${model}/ready`)).status, model).toBe(200);
    }
    expect(logLines(server).filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });

  it('keeps the pod from starting while its placeholders stand', async () => {
    const manifests = await compose({ components: ['model-download'] });
    const download = named(serverPod(manifests).initContainers, 'model-download');
    const settings = filesOf(generated(manifests));
    expect(settings.get('MODEL_CHECKSUM')).toBe(`sha256:${'0'.repeat(64)}`);
    const file = join(shippedModels, 'digits/1/model.onnx');
    const models = emptyFolder();
    const env = { MODEL_URI: `file://${file}`, MODEL_AS: 'digits/1/model.onnx' };
    const { code, output } = await runContainer(download, { entrypoint, volumes: { models }, manifests, env });
    expect(code).toBe(73);
    expect(output).toContain('the checksum is wrong');
    expect(readdirSync(models)).toEqual([]);
  });
});

describe('the component model-pvc', () => {
  it('follows the claim when an overlay renames it', async () => {
    const manifests = await compose({ components: ['model-pvc'], nameSuffix: '-b' });
    const { name } = find(manifests, 'PersistentVolumeClaim').metadata;
    expect(name).toBe('penstock-models-b');
    expect(named(serverPod(manifests).volumes, 'models').persistentVolumeClaim).toEqual({ claimName: name, readOnly: true });
  });

  it('gives way to a claim that is there already', async () => {
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'penstock-models' }, $patch: 'delete' };
    const volumes = [{ name: 'models', persistentVolumeClaim: { claimName: 'mine' } }];
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'penstock' },
      spec: { template: { spec: { volumes } } },
    };
    const patches = [claim, deployment].map((patch) => ({ patch: JSON.stringify(patch) }));
    const manifests = await compose({ components: ['model-pvc'], patches });
    expect(manifests.filter(({ kind }) => kind === 'PersistentVolumeClaim')).toEqual([]);
    expect(named(serverPod(manifests).volumes, 'models').persistentVolumeClaim).toEqual({ claimName: 'mine', readOnly: true });
  });
});

describe('the component model-oci', () => {
  it('names the image by its digest, which an overlay sets as it sets any image', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const images = [{ name: 'registry.example.com/models/digits', newName: 'registry.example.com/models/mine', digest }];
    const { volumes } = serverPod(await compose({ components: ['model-oci'], images }));
    const reference = `registry.example.com/models/mine@${digest}`;
    expect(named(volumes, 'models').image).toEqual({ reference, pullPolicy: 'IfNotPresent' });
  });
});
