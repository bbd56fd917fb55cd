/** Failures of GPUs, from the driver's call to the exit code, on a fake driver: each must get its own name and its own reaction. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { buildFakeGpu, FakeGpuScript, startOnFakeGpu } from '../support/fake-gpu.js';
import { listeningPorts, untilLogged } from '../support/log-lines.js';
import { modelFolder } from '../support/model-folder.js';
import { MetricsPage } from '../support/prometheus.js';
import type { ServerProcess, StartOptions } from '../support/server-process.js';

/** How often each failure must get its name; a thorough run asks for 30. */
const TIMES = Number(process.env['GPU_FAILURE_RUNS'] ?? 1);
const times = Array.from({ length: TIMES }, (_, index) => index + 1);

const TERMINATION_LOG = '/dev/termination-log';

/** One file for the whole machine: it is left as it was found, and nobody else may run such servers meanwhile. */
const hadTerminationLog = existsSync(TERMINATION_LOG);

/** Whether this process may make the file that Kubernetes makes for a container. */
const hasTerminationLog = ((): boolean => {
  try {
    writeFileSync(TERMINATION_LOG, '');
    return true;
  } catch {
    return false;
  }
})();

const REQUEST = JSON.stringify({
  inputs: ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [1, 16], data: Array<number>(16).fill(1) })),
});

/** As often as tests can bear, so that they do not wait. */
const SHORT_INTERVALS = ['--metrics-interval-ms', '50', '--gpu-probe-interval-secs', '0.1', '--gpu-probe-bytes', '64KiB'];

/** GPUs that are not ready when the server starts are taken for lacking. */
const NO_PATIENCE = ['--gpu-wait-secs', '0'];

interface FakeGpus {
  readonly server: ServerProcess;
  /** Replaces the script of the fake driver. */
  readonly rewrite: (script: string) => void;
}

/** A repository with one model that does what `add_sub` does, on the devices that its configuration asks for. */
function addSubOn(kind: 'KIND_AUTO' | 'KIND_GPU' | 'KIND_CPU', name = 'add_sub'): string {
  return modelFolder({
    [`${name}/1/model.onnx`]: { copyOf: 'models/add_sub/1/model.onnx' },
    [`${name}/config.json`]: JSON.stringify({ max_batch_size: 8, instance_group: [{ kind, count: 1 }] }),
  });
}

/** Ended with the test, however that ends. */
async function startOnFakeGpus(text: string, options: StartOptions = {}): Promise<FakeGpus> {
  const script = new FakeGpuScript([text]);
  onTestFinished(() => script.remove());
  const flags = [...SHORT_INTERVALS, ...(options.flags ?? [])];
  const server = await startOnFakeGpu(script, { repositories: [addSubOn('KIND_AUTO')], ...options, flags });
  onTestFinished(() => server.stop().then(() => {}));
  return { server, rewrite: (changed) => script.write([changed]) };
}

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly reason?: string;
  readonly detail?: string;
}

async function infer(server: ServerProcess, model = 'add_sub'): Promise<[number, string]> {
  const answer = await fetch(`${server.httpUrl}/v2/models/${model}/infer`, { method: 'POST', body: REQUEST });
  return [answer.status, await answer.text()];
}

async function probe(server: ServerProcess, path: string): Promise<[number, readonly Check[]]> {
  const answer = await fetch(`${server.managementUrl}${path}`);
  return [answer.status, ((await answer.json()) as { checks: readonly Check[] }).checks];
}

/** Waits until the server answers so on /ready, and gives the check of the first GPU. */
async function untilReadyIs(server: ServerProcess, status: number, fits: (gpu: Check) => boolean = () => true): Promise<Check> {
  for (const deadline = performance.now() + 20_000; ; await sleep(20)) {
    const [found, checks] = await probe(server, '/ready');
    const gpu = checks.find(({ name }) => name.startsWith('gpu GPU-'));
    if (found === status && gpu !== undefined && fits(gpu)) return gpu;
    if (performance.now() > deadline) throw new Error(`/ready does not become ${status}: ${JSON.stringify(checks)}`);
  }
}

async function causes(server: ServerProcess): Promise<string[]> {
  return (await MetricsPage.of(server.managementUrl)).all('penstock_gpu_health').map(({ labels }) => labels['cause'] ?? '');
}

/** The server ends with this code, and says the cause in its log and to Kubernetes. */
async function expectEnd({ server }: FakeGpus, exitCode: number, cause: string, text: RegExp): Promise<void> {
  expect(await server.exited).toBe(exitCode);
  const last = JSON.parse(server.lines.at(-1) ?? '{}') as Record<string, unknown>;
  expect(last).toMatchObject({ level: 'fatal', exit_code: exitCode, cause, gpu_uuid: expect.stringMatching(/^GPU-/) as string });
  expect(last['msg']).toMatch(text);
  if (hasTerminationLog) expect(readFileSync(TERMINATION_LOG, 'utf8')).toBe(`exit code ${exitCode}: ${String(last['msg'])}\n`);
}

beforeAll(buildFakeGpu, 600_000);

afterAll(() => {
  if (!hadTerminationLog) rmSync(TERMINATION_LOG, { force: true });
});

describe.each(times)('a failure that ends the process (run %i)', () => {
  it.each<[name: string, fault: string, exitCode: number, cause: string, text: RegExp]>([
    ['a sticky error', 'sticky cuMemcpyHtoDAsync_v2 700', 71, 'sticky-error', /CUDA_ERROR_ILLEGAL_ADDRESS \(700\)/],
    ['a contained memory error', 'sticky cuMemcpyHtoDAsync_v2 226', 71, 'contained-memory-error', /\(226\)/],
    ['an uncorrectable memory error', 'sticky cuMemcpyHtoDAsync_v2 214', 71, 'gpu-hw', /\(214\)/],
    ['a device that has left the bus', 'sticky cuMemcpyHtoDAsync_v2 999', 72, 'device-lost', /\(999\)/],
  ])('%s in a batch: UNAVAILABLE, not live, gone', async (_, fault, exitCode, cause, text) => {
    const gpus = await startOnFakeGpus('gpus 1', { flags: ['--gpu-probe-interval-secs', '0'] });
    expect((await infer(gpus.server))[0]).toBe(200);
    gpus.rewrite(`gpus 1\n${fault}`);
    const [status, body] = await infer(gpus.server);
    expect([status, body]).toEqual([503, expect.stringContaining('error')]);
    await expectEnd(gpus, exitCode, cause, text);
  });

  it('a device that has left the bus while a batch fails with a lesser code: NVML has the last word', async () => {
    const flags = ['--gpu-probe-interval-secs', '0', '--metrics-interval-ms', '60000'];
    const gpus = await startOnFakeGpus('gpus 1', { flags });
    await untilReadyIs(gpus.server, 200, ({ detail }) => detail?.startsWith('memory') ?? false);
    gpus.rewrite('gpus 1\nsticky cuMemcpyHtoDAsync_v2 719\nnvml 0 lost');
    expect((await infer(gpus.server))[0]).toBe(503);
    await expectEnd(gpus, 72, 'device-lost', /NVML: the GPU is lost/);
  });

  it.each<[name: string, script: string, exitCode: number, cause: string, text: RegExp]>([
    ['a GPU that NVML calls lost', 'gpus 1\nnvml 0 lost', 72, 'device-lost', /NVML: the GPU is lost/],
    ['XID 79', 'gpus 1\nxid 0 79', 72, 'device-lost', /XID 79/],
    ['XID 79 in a burst of others', 'gpus 1\nxid 0 119\nxid 0 79\nxid 0 45', 72, 'device-lost', /XID 79/],
    ['XID 95', 'gpus 1\nxid 0 95', 71, 'gpu-hw', /XID 95/],
    ['another UUID', 'gpus 1\ngpu 0 uuid GPU-00000000-0000-0000-0000-000000000000', 72, 'uuid-gone', /no GPU of that UUID/],
    ['wrong bytes', 'gpus 1\ncorrupt cuMemcpyDtoHAsync_v2', 74, 'sdc', /wrong results in a row/],
  ])('%s, without a request', async (_, script, exitCode, cause, text) => {
    const gpus = await startOnFakeGpus('gpus 1');
    gpus.rewrite(script);
    await expectEnd(gpus, exitCode, cause, text);
  });
});

describe.each(times)('a batch that hangs (run %i)', () => {
  it('makes it unready under its name, then aborts, and Kubernetes is told why', async () => {
    const { server, rewrite } = await startOnFakeGpus('gpus 1', { flags: ['--gpu-watchdog-ms', '1000'] });
    rewrite('gpus 1\nort hang RunWithBinding');
    const answer = infer(server).catch(() => 'no answer');
    const gpu = await untilReadyIs(server, 503);
    expect(gpu.reason).toMatch(/^hang: a batch has been running for \d+\.\d s, longer than the watchdog allows/);
    expect((await probe(server, '/health'))[0]).toBe(200);
    await server.exited;
    expect(server.child.signalCode).toBe('SIGABRT');
    if (hasTerminationLog) expect(readFileSync(TERMINATION_LOG, 'utf8')).toMatch(/^exit code 134: GPU GPU-[-\w]+: hang\n$/);
    expect(await answer).toBe('no answer');
  });
});

describe('a model that ends the server again and again', { timeout: 180_000 }, () => {
  /** With the models add_sub and beside, where `fault` meets a batch of add_sub only. */
  async function startAndEnd(flags: readonly string[], fault: string): Promise<void> {
    const gpus = await startOnFakeGpus('gpus 1', { repositories: twoModels(), flags: [...flags, '--gpu-probe-interval-secs', '0'] });
    gpus.rewrite(`gpus 1\n${fault}`);
    await infer(gpus.server).catch(() => {});
    await gpus.server.exited;
  }

  const twoModels = (): string[] => [addSubOn('KIND_AUTO'), addSubOn('KIND_AUTO', 'beside')];

  it.each<[name: string, fault: string, cause: string]>([
    ['hangs', 'ort hang RunWithBinding', 'hang'],
    ['breaks the context', 'sticky cuMemcpyHtoDAsync_v2 700', 'sticky-error'],
  ])('because it %s is left out the third time, under its name, while the others are served', async (_, fault, cause) => {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-blame-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const flags = ['--gpu-watchdog-ms', '500', '--model-blame-file', join(folder, 'blame.json')];
    await startAndEnd(flags, fault);
    await startAndEnd(flags, fault);
    const { server } = await startOnFakeGpus('gpus 1', { repositories: twoModels(), flags: [...flags, '--exit-on-error'] });
    const reason = new RegExp(`it ended the server 2 times in a day \\(${cause}\\) and is tried again at 20[-\\d:T]+Z`);
    const [status, checks] = await probe(server, '/ready');
    expect([status, checks.find(({ name }) => name === 'models-ready')?.detail]).toEqual([
      200,
      expect.stringMatching(new RegExp(`^model "add_sub" is not ready: version 1: ${reason.source}`)) as string,
    ]);
    expect(await infer(server)).toEqual([404, expect.stringMatching(reason)]);
    expect((await infer(server, 'beside'))[0]).toBe(200);
    const page = await MetricsPage.of(server.managementUrl);
    expect(page.all('penstock_model_load_failed').map(({ labels }) => [labels['model'], labels['code']])).toEqual([
      ['add_sub', 'ERR_MODEL_HELD_BACK'],
    ]);
  });

  it('is blamed no more once its batch has come back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-blame-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'blame.json');
    const flags = ['--gpu-watchdog-ms', '5000', '--gpu-probe-interval-secs', '0', '--model-blame-file', path];
    const { server, rewrite } = await startOnFakeGpus('gpus 1', { flags });
    rewrite('gpus 1\nhang cuStreamSynchronize');
    const answer = infer(server);
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toContain('{"model":"add_sub version 1","cause":"hang",'), 20_000);
    rewrite('gpus 1');
    expect((await answer)[0]).toBe(200);
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe('{"blames":[]}\n'), 20_000);
  });
});

describe.each(times)('a failure that passes (run %i)', () => {
  it.each<[name: string, script: string, cause: string]>([
    ['devices taken away', 'gpus 1\nfail nvmlInit_v2 999', 'device-revoked'],
    ['XID 119', 'gpus 1\nfail cuMemcpy* 1\nxid 0 119', 'driver-hang'],
    ['a probe that cannot run', 'gpus 1\nfail cuMemcpy* 1', 'probe-failed'],
  ])('%s makes it unready, and no more', async (_, script, cause) => {
    const { server, rewrite } = await startOnFakeGpus('gpus 1');
    rewrite(script);
    const gpu = await untilReadyIs(server, 503, ({ reason }) => reason?.startsWith(`${cause}: `) ?? false);
    expect(gpu.ok).toBe(false);
    expect((await probe(server, '/health'))[0]).toBe(200);
    expect((await causes(server))[0]).toBe(cause);
  });

  it.each<[name: string, script: string, cause: string]>([
    ['throttling', 'gpus 1\nnvml 0 throttle 0x40', 'throttled'],
    ['a pending row remap', 'gpus 1\nnvml 0 remap pending', 'row-remap-pending'],
    ['a failed row remap', 'gpus 1\nnvml 0 remap failed', 'row-remap-failed'],
    ['a wanted reset', 'gpus 1\nnvml 0 recovery-action 1', 'recovery-wanted'],
    ['XID 31', 'gpus 1\nxid 0 31', 'xid'],
    ['XID 92', 'gpus 1\nxid 0 92', 'single-bit-errors'],
    ['one batch without memory', 'gpus 1\nfail cuMemcpyHtoDAsync_v2 2 times 1', 'oom'],
  ])('%s is noted, and it stays ready', async (_, script, cause) => {
    const { server, rewrite } = await startOnFakeGpus('gpus 1');
    rewrite(script);
    await untilLogged(server, (line) => line['cause'] === cause && line.level === 'warn');
    const [status, checks] = await probe(server, '/ready');
    expect([status, checks.every(({ ok }) => ok)]).toEqual([200, true]);
    expect(await causes(server)).toEqual([cause]);
  });
});

it('becomes ready again when the failure has been gone for 10 s, and not earlier', async () => {
  const { server, rewrite } = await startOnFakeGpus('gpus 1');
  rewrite('gpus 1\nfail nvmlInit_v2 999');
  await untilReadyIs(server, 503);
  rewrite('gpus 1');
  const mended = performance.now();
  await untilReadyIs(server, 200);
  expect(performance.now() - mended).toBeGreaterThan(9000);
}, 60_000);

it('becomes ready after an event of the driver without waiting for the next probe or a request', async () => {
  const { server, rewrite } = await startOnFakeGpus('gpus 1', { flags: ['--gpu-probe-interval-secs', '600'] });
  rewrite('gpus 1\nxid 0 119');
  await untilReadyIs(server, 503, ({ reason }) => reason?.startsWith('driver-hang: ') ?? false);
  await untilReadyIs(server, 200);
}, 60_000);

it('lists each GPU by UUID with its numbers, and in the metrics as well', async () => {
  const { server } = await startOnFakeGpus('gpus 2\nnvml 1 temperature 71');
  expect((await infer(server))[0]).toBe(200);
  await sleep(500);
  const [, checks] = await probe(server, '/ready');
  const gpus = checks.filter(({ name }) => name.startsWith('gpu GPU-'));
  expect(gpus.map(({ ok, detail }) => [ok, detail?.replace(/, last .*/, '')])).toEqual([
    [true, expect.stringMatching(/^memory \d\.\d of 1\.0 GiB, 45 C/)],
    [true, expect.stringMatching(/^memory \d\.\d of 1\.0 GiB, 71 C/)],
  ]);
  const page = await MetricsPage.of(server.managementUrl);
  expect(page.all('nv_gpu_memory_total_bytes').map(({ value }) => value)).toEqual([2 ** 30, 2 ** 30]);
  expect(page.all('penstock_gpu_temperature_celsius').map(({ value }) => value)).toEqual([45, 71]);
});

it('goes without NVML with one warning, and without its readings', async () => {
  const { server } = await startOnFakeGpus('gpus 2\nfail nvmlInit_v2 4');
  await untilLogged(server, ({ cause }) => cause === 'nvml-unavailable');
  await sleep(500);
  expect(server.lines.filter((line) => line.includes('nvml-unavailable'))).toHaveLength(1);
  const page = await MetricsPage.of(server.managementUrl);
  expect([page.all('nv_gpu_utilization'), page.all('penstock_gpu_temperature_celsius')]).toEqual([[], []]);
  expect((await probe(server, '/ready'))[0]).toBe(200);
});

it('leaves the metrics of GPUs out when told to', async () => {
  const { server } = await startOnFakeGpus('gpus 1', { flags: ['--allow-gpu-metrics', 'false'] });
  expect(await (await fetch(`${server.managementUrl}/metrics`)).text()).not.toMatch(/^(nv|penstock)_gpu/m);
});

describe('a start without a usable GPU', () => {
  it.each<[cause: string, script: string]>([
    ['no-device', 'gpus 0'],
    ['driver-mismatch', 'fail cuInit 803'],
    ['fabric-not-ready', 'fail cuInit 802'],
  ])('%s: not ready when a model insists on a GPU, and ready otherwise', async (cause, script) => {
    const needing = await startOnFakeGpus(script, {
      repositories: [addSubOn('KIND_GPU'), addSubOn('KIND_AUTO', 'beside')],
      waitForReady: false,
      flags: NO_PATIENCE,
    });
    const { management } = await listeningPorts(needing.server);
    await untilLogged(needing.server, ({ msg }) => msg.startsWith('loading is over'));
    await sleep(300);
    const answer = await fetch(`http://127.0.0.1:${management}/ready`);
    const { checks } = (await answer.json()) as { checks: readonly Check[] };
    expect([answer.status, checks.find(({ name }) => name === 'gpu-found')?.reason]).toEqual([503, expect.stringMatching(`^${cause}: `)]);
    const { server } = await startOnFakeGpus(script, { flags: NO_PATIENCE });
    expect((await infer(server))[0]).toBe(200);
  });

  it('waits for a fabric that is not up yet, then loads its models on GPUs', async () => {
    const { server, rewrite } = await startOnFakeGpus('gpus 2\nfail cuInit 802', { waitForReady: false });
    await untilLogged(server, ({ cause }) => cause === 'fabric-not-ready');
    const management = (await listeningPorts(server)).management;
    await sleep(300);
    const ready = await fetch(`http://127.0.0.1:${management}/ready`);
    const { checks } = (await ready.json()) as { checks: readonly Check[] };
    expect([ready.status, checks.find(({ name }) => name === 'gpu-found')?.reason]).toEqual([
      503,
      expect.stringMatching(/^fabric-not-ready: .*\(802\)/),
    ]);
    expect((await fetch(`http://127.0.0.1:${management}/health`)).status).toBe(200);
    rewrite('gpus 2');
    const loaded = await untilLogged(server, ({ msg }) => msg.startsWith('loaded add_sub'));
    expect(loaded.msg).toMatch(/on GPUs 0, 1$/);
    await untilLogged(server, ({ msg }) => msg === 'ready');
    const page = await MetricsPage.of(`http://127.0.0.1:${management}`);
    expect(page.all('nv_gpu_memory_total_bytes')).toHaveLength(2);
    expect(page.all('penstock_gpu_health').map(({ labels }) => labels['cause'])).toEqual(['ok', 'ok']);
  });

  it('ends at once when it is told to while it waits for the fabric', async () => {
    const { server } = await startOnFakeGpus('fail cuInit 802', { waitForReady: false, flags: ['--drain-delay-secs', '0'] });
    await untilLogged(server, ({ cause }) => cause === 'fabric-not-ready');
    await listeningPorts(server);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
  });

  it('loads models that never use a GPU without waiting', async () => {
    const repositories = [addSubOn('KIND_CPU')];
    const { server } = await startOnFakeGpus('fail cuInit 802', { repositories });
    expect((await infer(server))[0]).toBe(200);
  });
});
