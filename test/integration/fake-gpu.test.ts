/** Servers on GPUs of the fake driver, with a stand-in for ONNX Runtime's CUDA provider: placement, answers, memory, and what is said of them. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { findOrtLibrary } from '../../src/config/ort-library.js';
import { declaredFields } from '../support/declarations.js';
import { NO_GPU } from '../support/engine.js';
import { buildFakeGpu, fakeGpuEnvironment, FakeGpuScript, startOnFakeGpu } from '../support/fake-gpu.js';
import { logLines, untilLogged } from '../support/log-lines.js';
import { DIGITS_2, modelFolder } from '../support/model-folder.js';
import { oracleOutputs } from '../support/oracle.js';
import { ProtocolClients, type Form } from '../support/protocols.js';
import { MetricsPage } from '../support/prometheus.js';
import { repositoryRoot, type ServerProcess, shippedModels, type StartOptions } from '../support/server-process.js';
import { fp32, type TestTensor } from '../support/tensors.js';

const GPUS = ['GPU-fa4e0000-0000-4000-8000-000000000000', 'GPU-fa4e0100-0000-4000-8000-000000000000'];

interface Statistics {
  readonly model_stats: readonly { readonly memory_usage: readonly { type: string; id: number; byte_size: number }[] }[];
}

let script: FakeGpuScript;

/** With `lines` as the script; the digits without a configuration, or with `config`. */
async function serve(lines: readonly string[], config?: string, options: StartOptions = {}): Promise<ServerProcess> {
  script = new FakeGpuScript(lines);
  const files = { 'digits/1/model.onnx': DIGITS_2, ...(config === undefined ? {} : { 'digits/config.pbtxt': config }) };
  const server = await startOnFakeGpu(script, { repositories: [modelFolder(files)], ...options });
  onTestFinished(() => server.stop().then(() => {}));
  return server;
}

async function json(server: ServerProcess, path: string): Promise<unknown> {
  return (await fetch(`${server.httpUrl}${path}`)).json();
}

/** Pictures of one shade each. */
const pictures = (rows: number): TestTensor[] => [
  fp32(
    'image',
    [rows, 1, 8, 8],
    Array.from({ length: rows * 64 }, (_, i) => (Math.floor(i / 64) * 7 + i) % 17),
  ),
];

beforeAll(buildFakeGpu, 600_000);

afterEach(() => script.remove());

describe('a model without a configuration, on a machine with two GPUs', () => {
  it('runs on both of them and answers as on the CPU, bit for bit', async () => {
    const server = await serve(['gpus 2']);
    const clients = new ProtocolClients(server);
    onTestFinished(() => clients.close());
    const sizes = [1, 3, 8, 13, 32];
    const golden = await oracleOutputs(join(shippedModels, 'digits/2/model.onnx'), sizes.map(pictures));
    for (const form of ['HTTP JSON', 'HTTP binary', 'gRPC raw'] satisfies Form[]) {
      const answers = await Promise.all(sizes.map((rows) => clients.infer(form, { model: 'digits', inputs: pictures(rows) })));
      expect(answers.map(({ outputs }) => outputs)).toEqual(golden);
    }
    expect(await json(server, '/v2/models/digits/config')).toMatchObject({
      instance_group: [{ name: 'digits_0', kind: 'KIND_GPU', count: 2, gpus: [0, 1] }],
      optimization: { execution_accelerators: { gpu_execution_accelerator: [{ name: 'cuda' }] } },
    });
    const loaded = await untilLogged(server, ({ msg }) => msg.startsWith('loaded digits'));
    expect(loaded.msg).toMatch(/on GPUs 0, 1$/);
    expect(loaded).toMatchObject({ gpus: GPUS, lanes: 4 });
  });

  it('is asked a question with a known answer on each of them', async () => {
    const server = await serve(['gpus 2'], undefined, { flags: ['--gpu-probe-interval-secs', '1'] });
    await vi.waitFor(async () => {
      const page = await MetricsPage.of(server.managementUrl);
      const asked = page.all('penstock_gpu_probe_runs_total', { probe: 'canary' }).filter(({ value }) => value > 0);
      expect(asked.map(({ labels }) => labels['gpu_uuid'])).toEqual(GPUS);
    }, 15_000);
  });

  it('tells over HTTP and gRPC what memory of which GPU it holds', async () => {
    const server = await serve(['gpus 2']);
    const { model_stats } = (await json(server, '/v2/models/digits/stats')) as Statistics;
    const usage = model_stats[0]?.memory_usage.filter(({ type }) => type === 'GPU') ?? [];
    expect(usage.map(({ id }) => id)).toEqual([0, 1]);
    for (const { byte_size } of usage) expect(byte_size).toBeGreaterThan(0);
    const clients = new ProtocolClients(server);
    onTestFinished(() => clients.close());
    const reply = await clients.grpc.call<Statistics>('ModelStatistics', { name: 'digits' });
    expect(reply.model_stats[0]?.memory_usage.filter(({ type }) => type === 'GPU')).toEqual(usage);
  });
});

it('the addon fills the records about GPUs that the bridge declares, field by field', () => {
  script = new FakeGpuScript(['gpus 1']);
  const source = `
    const addon = require(${JSON.stringify(join(repositoryRoot, 'build/native/penstock.node'))});
    const gpu = ${JSON.stringify({ ...NO_GPU, allowed: true, probeIntervalMs: 1000 })};
    const limits = { intraOpThreads: 1, maxRequestBytes: 1, maxInFlightRequests: 0, maxInFlightBytes: 0, laneSpinUs: 0, cpus: 1 };
    addon.startEngine({ ortLibrary: ${JSON.stringify(findOrtLibrary(''))}, ...limits, gpu });
    console.log(JSON.stringify([addon.gpus().gpus[0], addon.gpuStates()[0]]));`;
  const env = { ...process.env, ...fakeGpuEnvironment(script) };
  const [gpu, state] = JSON.parse(execFileSync(process.execPath, ['-e', source], { encoding: 'utf8', env })) as Record<string, object>[];
  const records: readonly (readonly [string, object | undefined])[] = [
    ['NativeGpu', gpu],
    ['NativeGpuState', state],
    ['NativeProbeState', state?.['probe']],
    ['NativeProbeState', state?.['canary']],
  ];
  for (const [name, record] of records) expect([name, ...Object.keys(record ?? {}).sort()]).toEqual([name, ...declaredFields(name).sort()]);
});

it('a model whose runs cannot be recorded any more goes on without CUDA graphs, and says so', async () => {
  const server = await serve(['gpus 1'], 'instance_group { count: 1 }\noptimization { cuda { graphs: true } }');
  await untilLogged(server, ({ msg }) => msg.startsWith('loaded digits'));
  script.write(['gpus 1', 'ort fail RunGraph "operation not permitted when stream is capturing"']);
  const clients = new ProtocolClients(server);
  onTestFinished(() => clients.close());
  const golden = await oracleOutputs(join(shippedModels, 'digits/2/model.onnx'), [pictures(5)]);
  expect((await clients.infer('HTTP binary', { model: 'digits', inputs: pictures(5) })).outputs).toEqual(golden[0]);
  const note = await untilLogged(server, ({ msg }) => msg.includes('runs without CUDA graphs'));
  expect(note.msg).toContain('operation not permitted when stream is capturing');
});

it('a model that names a GPU runs there only', async () => {
  const server = await serve(['gpus 2'], 'instance_group { kind: KIND_GPU count: 1 gpus: [ 1 ] }');
  expect(await json(server, '/v2/models/digits/config')).toMatchObject({ instance_group: [{ kind: 'KIND_GPU', count: 1, gpus: [1] }] });
  const { model_stats } = (await json(server, '/v2/models/digits/stats')) as Statistics;
  expect(model_stats[0]?.memory_usage.filter(({ type }) => type === 'GPU').map(({ id }) => id)).toEqual([1]);
});

describe('the log', () => {
  it('lists the GPUs that are used, and those that are too old', async () => {
    const server = await serve(['gpus 2', 'gpu 0 compute 7.0']);
    const lines = logLines(server);
    expect(lines.find(({ msg }) => msg.startsWith('models run on GPUs'))).toMatchObject({
      level: 'info',
      msg: `models run on GPUs: 0 Penstock fake GPU (${GPUS[1]})`,
    });
    expect(lines.find(({ level }) => level === 'warn')?.msg).toMatch(/GPU-fa4e0000.* is left out: .*7\.0, at least 7\.5 is needed/);
    const { model_stats } = (await json(server, '/v2/models/digits/stats')) as Statistics;
    expect(model_stats[0]?.memory_usage.filter(({ type }) => type === 'GPU').map(({ id }) => id)).toEqual([0]);
  });

  it.each([
    ['fail cuInit 803', 'driver-mismatch', 'CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)'],
    ['fail cuInit 802', 'fabric-not-ready', 'CUDA_ERROR_SYSTEM_NOT_READY (802)'],
  ])('warns of a driver that does not work, and the model runs on the CPU: %s', async (line, cause, text) => {
    const server = await serve(['gpus 1', line], undefined, { flags: ['--gpu-wait-secs', '0.1'] });
    const warning = await untilLogged(server, ({ msg }) => msg.startsWith('models run on the CPU'));
    expect(warning).toMatchObject({ level: 'warn', cause, msg: expect.stringContaining(text) as string });
    expect(await json(server, '/v2/models/digits/config')).toMatchObject({ instance_group: [{ kind: 'KIND_CPU', gpus: [] }] });
  });

  it('says so when GPUs are not wanted', async () => {
    const server = await serve(['gpus 1', 'fail cuInit 803'], undefined, { flags: ['--gpu', 'off'] });
    const line = await untilLogged(server, ({ msg }) => msg.startsWith('models run on the CPU'));
    expect(line).toMatchObject({ level: 'info', msg: 'models run on the CPU: --gpu=off' });
  });
});

it('without the CUDA provider a model runs on the CPU with a warning, and one that insists on GPUs is not served', async () => {
  script = new FakeGpuScript(['gpus 1']);
  const files = {
    'open/1/model.onnx': DIGITS_2,
    'strict/1/model.onnx': DIGITS_2,
    'strict/config.pbtxt': 'instance_group { kind: KIND_GPU }',
  };
  const server = await startOnFakeGpu(script, { repositories: [modelFolder(files)], flags: ['--ort-library', findOrtLibrary('')] });
  onTestFinished(() => server.stop().then(() => {}));
  const lines = logLines(server);
  expect(lines.find(({ msg }) => msg.startsWith('open version 1: it runs on the CPU'))).toMatchObject({ level: 'warn' });
  expect(lines.find(({ msg }) => msg.startsWith('strict version 1 failed'))).toMatchObject({ level: 'error', code: 'ERR_CUDA_PROVIDER' });
  expect(await json(server, '/v2/models/open/config')).toMatchObject({ instance_group: [{ kind: 'KIND_CPU' }] });
});
