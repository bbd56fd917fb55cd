/** What the probes, preStop and grace period of the base do to the real server, with the numbers that the base has. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, it, type ExpectStatic } from 'vitest';
import { CountedLoad } from '../support/counted-load.js';
import { buildFakeGpu, FakeGpuScript, fakeGpuEnvironment, fakeOrtLibrary } from '../support/fake-gpu.js';
import { Http2GrpcClient } from '../support/http2-grpc.js';
import { slowRequest } from '../support/slow-model.js';
import { Pod } from './kubelet.js';
import { build } from './kustomize.js';
import { skipWithoutOwnRoot } from './own-root.js';
import { patchedPod } from './patched-pod.js';
import { podTemplate, type PodTemplate } from './pod-template.js';

/** How long proxies may take to hear that a pod leaves. They send to it as before until then. */
const ENDPOINT_LAG_MS = 2000;
/** Failed startup probes that a slow start has to live through. */
const SLOW_START_PERIODS = 5;
const ENDLESS = 1_000_000_000n;

const ADD_SUB = { 'add_sub/1/model.onnx': { copyOf: 'models/add_sub/1/model.onnx' } } as const;
const BROKEN = { 'broken/1/model.onnx': 'this is not ONNX' } as const;

let base: PodTemplate;

beforeAll(async () => {
  base = podTemplate(await build('base'));
  buildFakeGpu();
}, 600_000);

/** From its deletion to the end of its process. */
function terminationMs(pod: Pod): number {
  const at = (kind: string): number => pod.events.find((event) => event.kind === kind)?.atMs ?? NaN;
  return at('exited') - at('deleted');
}

/** As a container runtime brings GPUs into a container. */
function onFakeGpu(script: FakeGpuScript): Record<string, string> {
  return { ...fakeGpuEnvironment(script), PENSTOCK_ORT_LIBRARY: fakeOrtLibrary };
}

const graceMs = (template: PodTemplate): number => template.gracePeriodSeconds * 1000;

// Nearly all of it is waiting for periods to pass.
describe.concurrent('a pod of the base', { timeout: 180_000 }, () => {
  beforeEach(skipWithoutOwnRoot);

  it('whose models take long to load is neither ready nor restarted until they have', async ({ expect }) => {
    // They wait for a fabric between GPUs that is not up yet, which takes no CPU from the tests beside this one.
    const script = new FakeGpuScript(['gpus 1', 'fail cuInit 802']);
    const pod = await Pod.create(base, { models: ADD_SUB, nodeEnv: onFakeGpu(script) });
    try {
      const { periodSeconds = NaN } = base.probes.startup ?? {};
      await sleep(SLOW_START_PERIODS * 1000 * periodSeconds);
      expect(pod.events.map(({ kind }) => kind)).toEqual(['started']);
      script.write(['gpus 1']);
      await pod.until('ready', 60_000);
      expect(pod.events.map(({ kind }) => kind)).toEqual(['started', 'startup', 'ready']);
    } finally {
      await pod.destroy();
      script.remove();
    }
  });

  it('that is deleted under load fails no request of clients that stay on their connections', async ({ expect }) => {
    const pod = await Pod.create(base, { models: ADD_SUB });
    let isEndpoint = true;
    const load = new CountedLoad({ http: pod.address('http'), grpc: pod.address('grpc'), mayConnect: () => isEndpoint, pauseMs: 1 });
    try {
      await pod.until('ready', 60_000);
      for (let i = 0; i < 4; i++) load.addHttp();
      for (let i = 0; i < 3; i++) load.addGrpc(4);
      await sleep(1000);
      const gone = pod.delete();
      await sleep(ENDPOINT_LAG_MS);
      isEndpoint = false;
      await gone;
      await load.done();
      expect(load.failures).toEqual([]);
      expect(Math.min(load.answered.http, load.answered.grpc)).toBeGreaterThan(100);
      expect(pod.events.map(({ kind }) => kind)).toEqual(['started', 'startup', 'ready', 'deleted', 'sigterm', 'not-ready', 'exited']);
      expect((await pod.until('exited', 0)).exitCode).toBe(0);
      expect(terminationMs(pod)).toBeLessThan(graceMs(base) / 2);
      expect([load.toldToGo, load.grpcClients.map(({ toldToGo }) => toldToGo)]).toEqual([4, [1, 1, 1]]);
    } finally {
      await pod.destroy();
    }
  });

  it('that is deleted with a request which never ends is gone by itself before its grace period is', async ({ expect }) => {
    const slow = { 'slow/1/model.onnx': { copyOf: 'test/fixtures/models/slow/1/model.onnx' } };
    const pod = await Pod.create(base, { models: slow });
    const client = new Http2GrpcClient(pod.address('grpc'));
    try {
      await pod.until('ready', 60_000);
      const answer = client.call('ModelInfer', slowRequest(ENDLESS)).catch(String);
      await sleep(500);
      await pod.delete();
      expect(await answer).toMatch(/status 14.*Server exiting/);
      expect((await pod.until('exited', 0)).exitCode).toBe(0);
      expect(terminationMs(pod)).toBeLessThan(graceMs(base) - 5000);
      // It had all the time that the configuration promises.
      expect(terminationMs(pod)).toBeGreaterThan(1000 * (base.preStopSeconds + 5 + 30));
    } finally {
      client.close();
      await pod.destroy();
    }
  });

  it('whose GPU hangs is not ready, then aborts and is restarted, and is ready again', async ({ expect }) => {
    const script = new FakeGpuScript(['gpus 1']);
    const config = JSON.stringify({ max_batch_size: 8, instance_group: [{ kind: 'KIND_GPU', count: 1 }] });
    const pod = await Pod.create(base, {
      models: { ...ADD_SUB, 'add_sub/config.json': config },
      nodeEnv: onFakeGpu(script),
      beforeRestart: () => script.write(['gpus 1']),
    });
    const load = new CountedLoad({ http: pod.address('http'), grpc: pod.address('grpc'), mayConnect: () => pod.isReady, pauseMs: 100 });
    try {
      await pod.until('ready', 60_000);
      script.write(['gpus 1', 'ort hang RunWithBinding']);
      load.addHttp();
      expect((await pod.until('not-ready', 20_000)).text).toMatch(/hang: a batch has been running/);
      const exited = await pod.until('exited', 20_000);
      expect(exited.exitCode).toBe(134);
      expect(exited.text).toMatch(/^exit code 134: GPU GPU-[-\w]+: hang\n$/);
      await pod.until('ready', 60_000, 2);
      expect([pod.count('started'), pod.count('killing')]).toEqual([2, 0]);
    } finally {
      await load.stop();
      await pod.destroy();
      script.remove();
    }
  });

  it('whose only model cannot be loaded is not ready, and is not restarted for it', async ({ expect }) => {
    await expectUnready(await Pod.create(base, { models: BROKEN }), expect);
  });

  it('whose second model cannot be loaded is ready, unless readiness is strict', async ({ expect }) => {
    const container = { env: [{ name: 'PENSTOCK_STRICT_READINESS', value: 'true' }] };
    const lenient = await Pod.create(base, { models: { ...ADD_SUB, ...BROKEN } });
    const strict = await Pod.create(await patchedPod({ container }), { models: { ...ADD_SUB, ...BROKEN } });
    try {
      await lenient.until('ready', 60_000);
    } finally {
      await lenient.destroy();
    }
    await expectUnready(strict, expect);
  });
});

/** Started, but neither ready nor restarted in the time that a liveness probe would take to fail. */
async function expectUnready(pod: Pod, expect: ExpectStatic): Promise<void> {
  try {
    expect((await pod.until('startup', 60_000)).text).toMatch(/^HTTP 200/);
    const { periodSeconds, failureThreshold } = pod.template.probes.liveness ?? { periodSeconds: NaN, failureThreshold: NaN };
    await sleep(1000 * periodSeconds * (failureThreshold + 1));
    expect(pod.events.map(({ kind }) => kind)).toEqual(['started', 'startup']);
    const answer = await fetch(`http://${pod.address('management')}/ready`);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringMatching(/model \\"broken\\" is not ready/)]);
  } finally {
    await pod.destroy();
  }
}
