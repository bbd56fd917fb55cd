import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { NativeGpuState } from '../../../src/bridge/addon.js';
import { RECOVERY_MS } from '../../../src/health/gpu-health.js';
import { GpuWatch } from '../../../src/health/gpu-watch.js';
import { gpuWithoutNvml, healthyGpu, reportOf } from '../../support/gpu-states.js';

function watched(...states: readonly NativeGpuState[]) {
  const told: string[] = [];
  const world = { states: [...states], nowMs: 0 };
  const write = (line: string): void => {
    const { level, msg, cause } = JSON.parse(line) as { level: number; msg: string; cause: string };
    told.push(`${pino.levels.labels[level]} ${cause}: ${msg}`);
  };
  const watch = new GpuWatch({
    search: { report: reportOf(...states.map(({ uuid }) => uuid)), isWaiting: false },
    read: () => world.states,
    monitorIntervalMs: 2000,
    log: pino({}, { write }),
    now: () => world.nowMs,
  });
  return { watch, world, told };
}

it('tells each failure once when it begins and once when it has passed', () => {
  const { watch, world, told } = watched(healthyGpu);
  watch.look([]);
  expect(told).toEqual([]);
  world.states = [{ ...healthyGpu, revoked: true }];
  for (world.nowMs of [200, 400, 600]) watch.look([]);
  expect(told).toEqual(['warn device-revoked: GPU GPU-1234: the container has lost access to its devices; it must be deleted']);
  world.states = [healthyGpu];
  for (world.nowMs of [800, 600 + RECOVERY_MS, 20_000]) watch.look([]);
  expect(told.slice(1)).toEqual(['info device-revoked: GPU GPU-1234: "device-revoked" has passed']);
});

it('tells once that NVML gives nothing, however many GPUs lack it', () => {
  const { watch, world, told } = watched({ ...gpuWithoutNvml, uuid: 'GPU-a' }, { ...gpuWithoutNvml, uuid: 'GPU-b' });
  for (world.nowMs of [0, 200, 400]) watch.look([]);
  expect(told).toEqual([expect.stringMatching(/^warn nvml-unavailable: NVML gives nothing, .*libnvidia-ml\.so\.1/)]);
});

it('keeps GPUs apart by UUID', () => {
  const { watch, world } = watched({ ...healthyGpu, uuid: 'GPU-a' }, { ...healthyGpu, uuid: 'GPU-b', hungMs: 9000 });
  watch.look([]);
  world.states = [
    { ...healthyGpu, uuid: 'GPU-b' },
    { ...healthyGpu, uuid: 'GPU-a' },
  ];
  expect(watch.look([]).verdicts.map(({ uuid, cause }) => [uuid, cause])).toEqual([
    ['GPU-b', 'hang'],
    ['GPU-a', ''],
  ]);
});

it('tells why there is no GPU only where a model insists on one, or waits for it', () => {
  const report = { ...reportOf(), cause: 'driver-mismatch', reason: 'cuInit: X (803)' };
  const search = { report, isWaiting: false };
  const watch = new GpuWatch({ search, read: () => [], monitorIntervalMs: 1, log: pino({ level: 'silent' }), now: () => 0 });
  expect(watch.troubles()).toEqual([]);
  expect(watch.look([{ lacksGpu: false, gpus: [] }])).toMatchObject({ needed: false, startCause: 'driver-mismatch' });
  expect(watch.troubles()).toEqual([]);
  expect(watch.look([{ lacksGpu: true, gpus: [] }])).toMatchObject({ needed: true, startReason: 'cuInit: X (803)' });
  expect(watch.troubles()).toEqual([{ uuid: '', causes: ['driver-mismatch'] }]);
  search.isWaiting = true;
  expect(watch.look([{ lacksGpu: false, gpus: [] }]).needed).toBe(true);
});

it('knows which GPUs models run on, and what is wrong with each', () => {
  const { watch } = watched({ ...healthyGpu, uuid: 'GPU-a' }, { ...healthyGpu, uuid: 'GPU-b', hungMs: 6000, throttled: true });
  const models = [
    { lacksGpu: false, gpus: ['GPU-a'] },
    { lacksGpu: false, gpus: ['GPU-a', 'GPU-b'] },
  ];
  expect([...watch.look(models).inUse]).toEqual(['GPU-a', 'GPU-b']);
  expect(watch.troubles()).toEqual([
    { uuid: 'GPU-a', causes: [] },
    { uuid: 'GPU-b', causes: ['hang', 'throttled'] },
  ]);
});
