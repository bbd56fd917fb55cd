import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { logLines } from '../support/log-lines.js';
import { ServerProcess, shippedModels } from '../support/server-process.js';
import { configMapMount } from '../support/config-map-mount.js';
import { SERVER_COMMAND } from './container.js';
import { runContainer, type ContainerRun } from './container-run.js';
import { build, find, type Manifest } from './kustomize.js';
import { skipWithoutOwnRoot } from './own-root.js';
import { filesOf, named, podOf } from './pod-parts.js';
import type { PodSpec } from './workloads.js';

const scriptsOf = (manifests: readonly Manifest[], { volumes }: PodSpec): string =>
  configMapMount(filesOf(find(manifests, 'ConfigMap', named(volumes, 'scripts').configMap?.name)));

/** Not in /tmp, which is another folder in the containers. */
function temporary(): string {
  const folder = mkdtempSync('/var/tmp/penstock-job-');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A volume with the model `digits`. */
function filledVolume(): string {
  const models = temporary();
  for (const path of ['config.pbtxt', '1', '2'])
    cpSync(join(shippedModels, 'digits', path), join(models, 'digits', path), { recursive: true });
  return models;
}

/** Runs a CronJob's container with Rclone's remote `store` in a folder of this machine. */
async function runJob(job: 'model-backup' | 'model-sync', models: string, bucket: string): Promise<ContainerRun> {
  const manifests = await build(join('jobs', job));
  const pod = podOf(find(manifests, 'CronJob'));
  const rclone = temporary();
  writeFileSync(join(rclone, 'rclone.conf'), `[store]\ntype = alias\nremote = ${bucket}\n`);
  const volumes = { models, rclone, scripts: scriptsOf(manifests, pod), tmp: temporary() };
  return runContainer(named(pod.containers, 'rclone'), { volumes });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const DIGITS = ['digits/1/model.onnx', 'digits/2/model.onnx', 'digits/config.pbtxt'];
/** Exit code by which the scripts refuse; podFailurePolicy ends the Job at once on it. */
const REFUSED = 78;

describe('the job model-backup', () => {
  beforeEach(skipWithoutOwnRoot);

  it('keeps a copy of the models, and what a change replaces', async () => {
    const [models, bucket] = [filledVolume(), temporary()];
    expect(await runJob('model-backup', models, bucket)).toMatchObject({ code: 0 });
    const current = join(bucket, 'penstock-models/current');
    expect(filesBelow(current)).toEqual(DIGITS);

    writeFileSync(join(models, 'digits/config.pbtxt'), 'max_batch_size: 8\n');
    rmSync(join(models, 'digits/1'), { recursive: true });
    expect(await runJob('model-backup', models, bucket)).toMatchObject({ code: 0 });
    expect(filesBelow(current)).toEqual(['digits/2/model.onnx', 'digits/config.pbtxt']);
    expect(readFileSync(join(current, 'digits/config.pbtxt'), 'utf8')).toBe('max_batch_size: 8\n');
    const [day] = readdirSync(join(bucket, 'penstock-models/replaced'));
    expect(day).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(filesBelow(join(bucket, 'penstock-models/replaced', day ?? ''))).toEqual(['digits/1/model.onnx', 'digits/config.pbtxt']);
  });

  it('does not take an empty volume for the models', async () => {
    const [models, bucket] = [filledVolume(), temporary()];
    await runJob('model-backup', models, bucket);
    expect(await runJob('model-backup', temporary(), bucket)).toMatchObject({ code: REFUSED });
    expect(filesBelow(join(bucket, 'penstock-models/current'))).toEqual(DIGITS);
  });
});

describe('the job model-sync', () => {
  beforeEach(skipWithoutOwnRoot);

  async function backedUp(): Promise<{ models: string; bucket: string }> {
    const [models, bucket] = [filledVolume(), temporary()];
    expect(await runJob('model-backup', models, bucket)).toMatchObject({ code: 0 });
    return { models, bucket };
  }

  it('brings new versions and configurations to another region, and deletes nothing there', async () => {
    const { models, bucket } = await backedUp();
    const region = temporary();
    mkdirSync(join(region, 'local/1'), { recursive: true });
    writeFileSync(join(region, 'local/1/model.onnx'), 'of this region alone');
    expect(await runJob('model-sync', region, bucket)).toMatchObject({ code: 0 });
    expect(filesBelow(region)).toEqual([...DIGITS, 'local/1/model.onnx']);

    writeFileSync(join(models, 'digits/config.pbtxt'), 'max_batch_size: 8\n');
    cpSync(join(models, 'digits/2'), join(models, 'digits/3'), { recursive: true });
    await runJob('model-backup', models, bucket);
    expect(await runJob('model-sync', region, bucket)).toMatchObject({ code: 0 });
    expect(filesBelow(region)).toContain('digits/3/model.onnx');
    expect(readFileSync(join(region, 'digits/config.pbtxt'), 'utf8')).toBe('max_batch_size: 8\n');
  });

  it('fails instead of changing a version that a server may have loaded', async () => {
    const { models, bucket } = await backedUp();
    const region = temporary();
    await runJob('model-sync', region, bucket);
    const before = readFileSync(join(region, 'digits/1/model.onnx'));
    const changed = join(models, 'digits/1/model.onnx');
    writeFileSync(changed, 'another model under the same number');
    utimesSync(changed, new Date(), new Date(Date.now() + 60_000));
    await runJob('model-backup', models, bucket);
    const { code, output } = await runJob('model-sync', region, bucket);
    expect(code, output).not.toBe(0);
    expect(output).toMatch(/immutable file modified/);
    expect(readFileSync(join(region, 'digits/1/model.onnx')).equals(before)).toBe(true);
  });

  it('says so when the store holds nothing', async () => {
    const bucket = temporary();
    mkdirSync(join(bucket, 'penstock-models/current'), { recursive: true });
    expect(await runJob('model-sync', temporary(), bucket)).toMatchObject({ code: REFUSED });
  });
});

describe.each(['model-backup', 'model-sync'] as const)('the CronJob of %s', (job) => {
  it('runs one at a time, in a time zone that is said, and comes to an end', async () => {
    const cronJob = find(await build(join('jobs', job)), 'CronJob');
    const { spec } = cronJob as unknown as { spec: Record<string, unknown> };
    expect(spec).toMatchObject({ timeZone: 'Etc/UTC', concurrencyPolicy: 'Forbid' });
    const jobSpec = (spec['jobTemplate'] as { spec: Record<string, unknown> }).spec;
    expect(jobSpec['activeDeadlineSeconds']).toBeGreaterThan(0);
    // The API server refuses podFailurePolicy beside any other.
    expect(podOf(cronJob).restartPolicy).toBe('Never');
  });
});

describe('the load test', () => {
  beforeEach(skipWithoutOwnRoot);

  /** The Job's container against a real server, with its settings changed. */
  async function load(server: ServerProcess, env: Readonly<Record<string, string>>): Promise<ContainerRun> {
    const manifests = await build('jobs/load-test');
    const pod = podOf(find(manifests, 'Job'));
    const settings = { BASE_URL: server.httpUrl, DURATION: '3s', RATE: '50', P95_MS: '5000', ...env };
    return runContainer(named(pod.containers, 'k6'), {
      entrypoint: ['k6'],
      volumes: { scripts: scriptsOf(manifests, pod) },
      manifests,
      env: settings,
    });
  }

  async function started(flags: readonly string[] = []): Promise<ServerProcess> {
    const server = await ServerProcess.start({ flags });
    onTestFinished(async () => void (await server.stop()));
    return server;
  }

  it.each(['digits', 'add_sub', 'echo_text'])('loads %s at the rate that is asked, whatever its inputs are', async (model) => {
    const server = await started(['--access-log', 'true']);
    const { code, output } = await load(server, { MODEL: model, BATCH_SIZE: '2' });
    expect(code, output).toBe(0);
    expect(logLines(server).filter(({ msg }) => msg === 'request').length).toBeGreaterThan(140);
  });

  it.each([
    ['answers are slower than they may be', { P95_MS: '0.01' }, 99],
    ['requests are refused', { RATE: '200', BATCH_SIZE: '65' }, 108],
    ['there is no such model', { MODEL: 'nothing' }, 108],
  ])('fails when %s', async (_what, env, expected) => {
    const { code, output } = await load(await started(), env);
    expect(code, output).toBe(expected);
  });
});

describe('the job image-prepull', () => {
  beforeEach(skipWithoutOwnRoot);

  it('ends its init container at once and asks for no GPU, on every GPU node whatever its taints', async () => {
    const pod = podOf(find(await build('jobs/image-prepull'), 'DaemonSet'));
    const run = await runContainer(named(pod.initContainers, 'penstock'), {
      entrypoint: SERVER_COMMAND,
      volumes: {},
    });
    expect(run).toMatchObject({ code: 0, output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
    expect(JSON.stringify(pod)).not.toMatch(/"nvidia\.com\/gpu":/);
    expect(pod).toMatchObject({ nodeSelector: { 'nvidia.com/gpu.present': 'true' }, tolerations: [{ operator: 'Exists' }] });
  });
});
