import { existsSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Authority, TlsFolder } from '../support/certificates.js';
import { HttpClient } from '../support/clients.js';
import { penstock } from '../support/command.js';
import { listeningPorts, logLines } from '../support/log-lines.js';
import { DIGITS_1, DIGITS_2, IDENTITY, modelFolder } from '../support/model-folder.js';
import { badModels, fixtureModels, ServerProcess, shippedModels, type StartOptions } from '../support/server-process.js';
import { fp32 } from '../support/tensors.js';

async function served(options: StartOptions): Promise<{ server: ServerProcess; http: HttpClient }> {
  const server = await ServerProcess.start(options);
  const http = new HttpClient(server.httpUrl);
  onTestFinished(async () => {
    await http.close();
    await server.stop();
  });
  return { server, http };
}

async function versionsOf(http: HttpClient, model: string): Promise<string[]> {
  const answer = await http.get(`/v2/models/${model}`);
  return answer.status === 200 ? (JSON.parse(answer.body.toString('utf8')) as { versions: string[] }).versions : [];
}

const picture = [fp32('image', [1, 1, 8, 8], Array<number>(64).fill(0))];
const LOAD_FAULT = 'cannot load model.onnx: Load model from model.onnx failed:Protobuf parsing failed.';

describe('a model that cannot be loaded', () => {
  it('never stops the others, and says why', async () => {
    const { server, http } = await served({ repositories: [fixtureModels, badModels] });
    expect((await http.get('/ready')).status).toBe(200);
    const row = fp32('INPUT0', [1, 2], [1, 2]);
    expect(await http.inferBinary('identity_fp32', [row])).toEqual([{ ...row, name: 'OUTPUT0' }]);
    for (const model of ['not_onnx', 'truncated']) {
      expect((await http.get(`/v2/models/${model}/ready`)).status).toBe(404);
      const line = logLines(server).find((one) => one.level === 'error' && one['model'] === model);
      expect(line).toMatchObject({ version: 1, code: 'ERR_MODEL_LOAD', msg: `${model} version 1 failed: ${LOAD_FAULT}` });
    }
  });

  it('keeps the server from being ready with --strict-readiness', async () => {
    const server = await ServerProcess.start({
      repositories: [shippedModels, badModels],
      flags: ['--strict-readiness', 'true'],
      waitForReady: false,
    });
    onTestFinished(() => void server.stop());
    const { http: port } = await listeningPorts(server);
    const http = new HttpClient(`http://127.0.0.1:${port}`);
    onTestFinished(() => http.close());
    while ((await http.get('/startup')).status !== 200) await sleep(20);
    const ready = await http.get('/ready');
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body.toString('utf8'))).toMatchObject({
      status: 'failed',
      checks: [
        {
          name: 'models-ready',
          ok: false,
          reason: `model "not_onnx" is not ready: version 1: ${LOAD_FAULT}; model "truncated" is not ready: version 1: ${LOAD_FAULT}`,
        },
        { name: 'not-exiting', ok: true },
        { name: 'front-ends-listening', ok: true },
      ],
    });
    expect(await http.inferBinary('digits', picture)).toHaveLength(2);
    expect(await server.stop()).toBe(0);
  });

  it('ends the start with 73 under --exit-on-error, and the server never looks ready', async () => {
    const folder = modelFolder({ 'good/1/model.onnx': IDENTITY, 'bad/1/model.onnx': 'no model' });
    const readyFile = join(folder, 'ready.json');
    const ports = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
    const flags = ['--model-repository', folder, '--exit-on-error', 'true', '--ready-file', readyFile];
    const { code, stderr } = await penstock(['serve', '--host', '127.0.0.1', ...ports, ...flags]);
    expect(code).toBe(73);
    const last = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as object;
    expect(last).toMatchObject({ level: 'fatal', code: 'ERR_MODEL_LOAD', msg: `--exit-on-error: model "bad": version 1: ${LOAD_FAULT}` });
    expect(stderr).not.toContain('"ready":true');
    expect(existsSync(readyFile)).toBe(false);
  });
});

describe('a repository', () => {
  it('may be one model folder with a single file, as KServe mounts it, named by --model-name', async () => {
    const folder = modelFolder({ 'model.onnx': DIGITS_2 });
    const { http } = await served({ repositories: [folder], flags: ['--model-name', 'my digits'] });
    const { model_name, model_version } = await http.inferJson('my digits', {
      inputs: [{ name: 'image', datatype: 'FP32', shape: [1, 1, 8, 8], data: Array<number>(64).fill(0) }],
    });
    expect([model_name, model_version]).toEqual(['my digits', '1']);
  });

  it('may be a volume of Kubernetes, where every folder is a link through ..data', async () => {
    const folder = modelFolder({ '..2026_01_01/digits/1/model.onnx': DIGITS_1 });
    symlinkSync('..2026_01_01', join(folder, '..data'));
    symlinkSync('..data/digits', join(folder, 'digits'));
    const { http } = await served({ repositories: [folder] });
    expect(await versionsOf(http, 'digits')).toEqual(['1']);
    expect(await http.inferBinary('digits', picture)).toHaveLength(2);
  });

  it('may not lead out of itself', async () => {
    const outside = modelFolder({ 'secret/1/model.onnx': IDENTITY });
    const folder = modelFolder({ 'digits/1/model.onnx': DIGITS_1 });
    symlinkSync(join(outside, 'secret'), join(folder, 'secret'));
    const { http } = await served({ repositories: [folder] });
    expect((await http.get('/v2/models/secret')).status).toBe(404);
    expect(await versionsOf(http, 'digits')).toEqual(['1']);
  });
});

describe('version_policy', () => {
  const files = { 'm/1/model.onnx': DIGITS_1, 'm/2/model.onnx': DIGITS_2, 'm/10/model.onnx': DIGITS_2 };

  it.each([
    ['the latest when nothing is said', '', ['10']],
    ['the latest two', 'version_policy { latest { num_versions: 2 } }', ['2', '10']],
    ['all', 'version_policy: { all {} }', ['1', '2', '10']],
    ['those that are named', 'version_policy: { specific { versions: [1, 2] } }', ['1', '2']],
  ])('serves %s', async (_, policy, versions) => {
    const { http } = await served({ repositories: [modelFolder({ ...files, 'm/config.pbtxt': policy })] });
    expect(await versionsOf(http, 'm')).toEqual(versions);
    const { model_version } = await http.inferJson('m', {
      inputs: [{ name: 'image', datatype: 'FP32', shape: [1, 1, 8, 8], data: Array<number>(64).fill(0) }],
    });
    expect(model_version).toBe(versions.at(-1));
  });
});

describe('a configuration', () => {
  const wrong = 'max_batch_size: 8\ninput [ { name: "image" data_type: TYPE_INT32 dims: [ 1, 8, 8 ] } ]\n';
  const fault = 'config.pbtxt: input[0].data_type: found TYPE_INT32, expected TYPE_FP32 as in the model file; fix: data_type: TYPE_FP32';

  it('that disagrees with its model file refuses that model and says field, found, expected and fix', async () => {
    const folder = modelFolder({ 'wrong/config.pbtxt': wrong, 'wrong/1/model.onnx': DIGITS_1, 'right/1/model.onnx': DIGITS_1 });
    const { server, http } = await served({ repositories: [folder] });
    expect(await versionsOf(http, 'right')).toEqual(['1']);
    expect(logLines(server).find((line) => line.level === 'error')).toMatchObject({
      model: 'wrong',
      code: 'ERR_MODEL_CONFIG',
      msg: `wrong version 1 failed: ${fault}`,
    });
    const asked = await http.get('/v2/models/wrong/versions/1');
    expect([asked.status, asked.body.toString('utf8')]).toEqual([
      503,
      JSON.stringify({ error: `model 'wrong' version 1 is not ready: ${fault}` }),
    ]);
  });

  it('with a field that nobody knows is warned of, and served', async () => {
    const folder = modelFolder({
      'm/config.pbtxt': 'max_batch_sise: 8\ndynamic_batching { max_queue_delay_microseconds: 100 }\n',
      'm/1/model.onnx': DIGITS_1,
    });
    const { server, http } = await served({ repositories: [folder] });
    expect(await versionsOf(http, 'm')).toEqual(['1']);
    const warnings = logLines(server).filter(({ level }) => level === 'warn');
    expect(warnings.every((line) => line['model'] === 'm')).toBe(true);
    expect(warnings.map(({ msg }) => msg).join('\n')).toMatch(/max_batch_sise is not a field of a model configuration and is ignored/);
  });

  it('that another file has replaced is told by penstock check, with what it says of each version', async () => {
    const folder = modelFolder({ 'm/config.pbtxt': wrong, 'm/1/model.onnx': DIGITS_1, 'n/1/model.onnx': DIGITS_1 });
    const first = await penstock(['check', '--model-repository', folder]);
    expect([first.code, first.stdout]).toEqual([
      73,
      `m  version 1  not served: ${fault}\nn  version 1  served\n1 of 2 models in ${folder} are without fault\n`,
    ]);
    renameSync(join(folder, 'm/config.pbtxt'), join(folder, 'm/old.pbtxt'));
    const second = await penstock(['check', '--model-repository', folder]);
    expect([second.code, second.stdout, second.stderr]).toEqual([
      0,
      `m  version 1  served\nn  version 1  served\n2 of 2 models in ${folder} are without fault\n`,
      '',
    ]);
  });
});

describe('penstock check', () => {
  it.each([
    ['says how long a certificate is valid', 3_600_000, 0, 'is valid until '],
    ['refuses a certificate that clients would refuse', -1000, 73, 'expired on '],
  ])('%s', async (_, validForMs, code, words) => {
    const folder = modelFolder({ 'm/1/model.onnx': DIGITS_1 });
    const tls = new TlsFolder(new Authority().issue('here', validForMs));
    onTestFinished(() => tls.remove());
    const checked = await penstock(['check', '--model-repository', folder, ...tls.flags]);
    expect([checked.code, checked.stderr]).toEqual([code, '']);
    const [first = '', ...rest] = checked.stdout.split('\n');
    expect(first).toMatch(new RegExp(`^--tls-cert: .*"${tls.path}/tls.crt",? .*${words}`));
    expect(rest).toEqual(['m  version 1  served', `1 of 1 models in ${folder} are without fault`, '']);
  });
});

describe('bad usage ends with 64 and one sentence', () => {
  it.each([
    ['an unknown option', ['--http-prot', '1'], 'penstock: --http-prot is not an option; did you mean --http-port?\n'],
    ['an impossible value', ['--http-port', '99999'], 'penstock: --http-port: "99999" is not a port from 0 (any free one) to 65535\n'],
    ['a missing value', ['--http-port'], 'penstock: --http-port needs a value\n'],
    ['an unknown command', ['fly'], 'penstock: "fly" is not a command; there are serve, check, pull, manifests, bench, plan and help\n'],
    [
      'a model name for two folders',
      ['--model-name', 'm', '--model-repository', 'a', '--model-repository', 'b'],
      'penstock: --model-name: needs exactly one --model-repository, found 2\n',
    ],
  ])('%s', async (_, args, stderr) => {
    expect(await penstock(args)).toEqual({ code: 64, stdout: '', stderr });
  });

  it('a variable as well as a flag', async () => {
    const { code, stderr } = await penstock([], { PENSTOCK_EXIT_TIMEOUT_SECS: 'soon' });
    expect(code).toBe(64);
    expect(stderr).toMatch(/^penstock: PENSTOCK_EXIT_TIMEOUT_SECS: "soon" is not /);
  });

  it('a repository that is not there, and the server never looks ready', async () => {
    const ports = ['--host', '127.0.0.1', '--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
    const { code, stderr } = await penstock([...ports, '--model-repository', '/nowhere/at/all']);
    expect(code).toBe(64);
    expect(stderr).toContain(
      '--model-repository: found \\"/nowhere/at/all\\", expected a folder that can be read (no such file or folder)',
    );
    expect(stderr).not.toContain('"ready":true');
  });
});
