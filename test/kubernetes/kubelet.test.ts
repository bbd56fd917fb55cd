/** The kubelet of these tests against containers that do as they are told: what it finds in a server would be worth nothing otherwise. */
import { beforeEach, describe, it } from 'vitest';
import { Pod } from './kubelet.js';
import { skipWithoutOwnRoot } from './own-root.js';
import { patchedPod } from './patched-pod.js';

/** Answers 200 everywhere, except on the path that `failing` names while `when` holds. */
function script(failing: string, when: string, more = ''): readonly string[] {
  const server = `
    const { createServer } = require('node:http');
    const startedMs = Date.now();
    const age = () => Date.now() - startedMs;
    createServer((request, response) => {
      response.statusCode = request.url === ${JSON.stringify(failing)} && (${when}) ? 500 : 200;
      response.end();
    }).listen(Number(process.env.PENSTOCK_METRICS_PORT));
    ${more}`;
  return [process.execPath, '-e', server];
}

const STOPS = `process.on('SIGTERM', () => process.exit(0));`;
const probe = (path: string, failureThreshold: number, more = {}): object => ({
  httpGet: { path, port: 'management' },
  periodSeconds: 1,
  timeoutSeconds: 1,
  failureThreshold,
  ...more,
});
const preStop = (seconds: number): object => ({ preStop: { sleep: { seconds } } });

// All of it is waiting, so all of it waits at one time.
describe.concurrent('a container', () => {
  beforeEach(skipWithoutOwnRoot);

  it('is ready once its startup probe and then its readiness probe succeed, and is not probed otherwise before', async ({ expect }) => {
    const pod = await Pod.create(await patchedPod({ container: { livenessProbe: probe('/health', 1) } }), {
      command: script('/startup', 'age() < 3000', STOPS),
    });
    try {
      await pod.until('ready', 10_000);
      expect(pod.events.map(({ kind }) => kind)).toEqual(['started', 'startup', 'ready']);
      const [, startup, ready] = pod.events;
      // Probed every 2 s; readiness follows at once.
      expect(startup?.atMs).toBeGreaterThan(3500);
      expect((ready?.atMs ?? 0) - (startup?.atMs ?? 0)).toBeLessThan(500);
    } finally {
      await pod.destroy();
    }
  });

  it('is restarted when its startup probe fails often enough', async ({ expect }) => {
    const startupProbe = probe('/startup', 3);
    const pod = await Pod.create(await patchedPod({ container: { startupProbe, lifecycle: preStop(1) } }), {
      command: script('/startup', 'true', STOPS),
    });
    try {
      const killing = await pod.until('killing', 10_000);
      expect(killing.text).toMatch(/^startup probe: /);
      expect(killing.atMs).toBeGreaterThan(1900);
      const exited = await pod.until('exited', 5000);
      expect(exited.exitCode).toBe(0);
      expect(exited.atMs - killing.atMs).toBeGreaterThan(900);
      await pod.until('started', 5000, 2);
      expect(pod.count('ready')).toBe(0);
    } finally {
      await pod.destroy();
    }
  });

  it('is restarted when its liveness probe fails, or has no answer in time, and is ready again afterwards', async ({ expect }) => {
    const container = { livenessProbe: probe('/health', 2), lifecycle: preStop(1) };
    const silent = `setTimeout(() => { for (const until = age() + 60000; age() < until;); }, 5000);`;
    const template = await patchedPod({ pod: { terminationGracePeriodSeconds: 4 }, container });
    const failing = await Pod.create(template, { command: script('/health', 'age() > 4000', STOPS) });
    const hung = await Pod.create(template, { command: script('', 'false', silent) });
    try {
      for (const [pod, code] of [
        [failing, 0],
        [hung, 143],
      ] as const) {
        expect((await pod.until('killing', 15_000)).text).toMatch(/^liveness probe: /);
        expect((await pod.until('exited', 10_000)).exitCode).toBe(code);
        await pod.until('ready', 10_000, 2);
      }
    } finally {
      await Promise.all([failing.destroy(), hung.destroy()]);
    }
  });

  it('is not ready when its readiness probe fails, and keeps running', async ({ expect }) => {
    const pod = await Pod.create(await patchedPod({}), { command: script('/ready', 'age() > 3000 && age() < 8000', STOPS) });
    try {
      await pod.until('not-ready', 15_000);
      await pod.until('ready', 15_000, 2);
      expect([pod.count('started'), pod.count('killing')]).toEqual([1, 0]);
    } finally {
      await pod.destroy();
    }
  });

  it('that ends by itself is started again: at once, then after 10 s', async ({ expect }) => {
    const words = `require('node:fs').writeFileSync('/dev/termination-log', 'enough')`;
    const pod = await Pod.create(await patchedPod({}), { command: [process.execPath, '-e', `${words}; process.exit(3)`] });
    try {
      const third = await pod.until('started', 30_000, 3);
      const [first, second] = pod.events.filter(({ kind }) => kind === 'exited');
      expect(first).toMatchObject({ exitCode: 3, text: 'enough' });
      expect((await pod.until('started', 0, 2)).atMs - (first?.atMs ?? 0)).toBeLessThan(500);
      expect(third.atMs - (second?.atMs ?? 0)).toBeGreaterThan(9900);
    } finally {
      await pod.destroy();
    }
  });

  it('that ignores SIGTERM is killed when the grace period is over, preStop included', async ({ expect }) => {
    const template = await patchedPod({ pod: { terminationGracePeriodSeconds: 5 }, container: { lifecycle: preStop(2) } });
    const pod = await Pod.create(template, { command: script('', 'false', `process.on('SIGTERM', () => {});`) });
    try {
      await pod.until('ready', 10_000);
      await pod.delete();
      const deleted = await pod.until('deleted', 0);
      expect((await pod.until('sigterm', 0)).atMs - deleted.atMs).toBeGreaterThan(1900);
      const exited = await pod.until('exited', 0);
      expect(exited.exitCode).toBe(137);
      expect(exited.atMs - deleted.atMs).toBeGreaterThan(4900);
      expect(exited.atMs - deleted.atMs).toBeLessThan(6000);
      expect(pod.count('started')).toBe(1);
    } finally {
      await pod.destroy();
    }
  });

  it('has its volumes and its last words where the manifest puts them, and a shared memory of its own size', async ({ expect }) => {
    const tell = `
      const fs = require('node:fs');
      const { bsize, blocks } = fs.statfsSync('/dev/shm');
      let isReadOnly = false;
      try { fs.writeFileSync('/models/new', ''); } catch ({ code }) { isReadOnly = code === 'EROFS'; }
      const [,, ...args] = [process.execPath, ...process.argv];
      fs.writeFileSync('/dev/termination-log', JSON.stringify({
        args, config: fs.readFileSync(args[2], 'utf8').includes('model-repository: /models'), models: fs.readdirSync('/models'),
        shm: bsize * blocks, isReadOnly, env: Object.keys(process.env).filter((name) => !name.startsWith('PENSTOCK_')).sort(),
      }));`;
    const template = await patchedPod({ container: { env: [{ name: 'PENSTOCK_LOG_LEVEL', value: 'debug' }] } });
    const pod = await Pod.create(template, { command: [process.execPath, '-e', tell], models: { 'one/1/model.onnx': '' } });
    try {
      expect(JSON.parse((await pod.until('exited', 10_000)).text)).toEqual({
        args: ['serve', '--config', '/etc/penstock/penstock.yaml'],
        config: true,
        models: ['one'],
        shm: 64 * 2 ** 20,
        isReadOnly: true,
        env: expect.not.arrayContaining(['VITEST']) as string[],
      });
    } finally {
      await pod.destroy();
    }
  });
});
