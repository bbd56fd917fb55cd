import { describe, expect, it } from 'vitest';
import { evaluateHealth, type GpuFacts, type HealthFacts } from '../../../src/health/checks.js';
import { GpuHealth } from '../../../src/health/gpu-health.js';
import { GPU, healthyGpu } from '../../support/gpu-states.js';

const good = { name: 'good', readyVersions: 1, reason: '' };
const bad = { name: 'bad', readyVersions: 0, reason: 'the file is truncated' };
const healthy: HealthFacts = {
  blockedMs: 0,
  loading: { over: true, done: 1, total: 1 },
  models: [good],
  frontEnds: { listening: 1, expected: 1 },
  exiting: false,
};

function evaluate(facts: HealthFacts, strictReadiness: boolean) {
  return evaluateHealth(facts, { strictReadiness, maxBlockedMs: 2000 });
}

function failedReasons(facts: HealthFacts, strict = false): string[] {
  const { live, ready, started } = evaluate(facts, strict).checks;
  return [...live, ...ready, ...started].filter(({ ok }) => !ok).map(({ name, reason }) => `${name}: ${reason}`);
}

describe('health', () => {
  it('is live, ready and started when nothing is wrong', () => {
    expect(evaluate(healthy, true)).toMatchObject({ live: true, ready: true, started: true, exiting: false });
  });

  it('is live but neither ready nor started while models are loading', () => {
    const loading = { ...healthy, loading: { over: false, done: 1, total: 3 } };
    expect(evaluate(loading, false)).toMatchObject({ live: true, ready: false, started: false });
    expect(failedReasons(loading)).toContain('models-ready: 1 of 3 model versions are loaded');
  });

  it('stays ready beside a model that failed, unless readiness is strict', () => {
    const facts = { ...healthy, models: [good, bad] };
    expect(evaluate(facts, false).ready).toBe(true);
    expect(evaluate(facts, true)).toMatchObject({ live: true, ready: false, started: true });
    expect(failedReasons(facts, true)).toEqual(['models-ready: model "bad" is not ready: the file is truncated']);
    const entry = { name: 'models-ready', ok: true, reason: '', detail: 'model "bad" is not ready: the file is truncated' };
    expect(evaluate(facts, false).checks.ready).toContainEqual(entry);
  });

  it('is not ready when every model failed, but ready when there is none', () => {
    expect(evaluate({ ...healthy, models: [bad] }, false)).toMatchObject({ live: true, ready: false, started: true });
    expect(evaluate({ ...healthy, models: [] }, true).ready).toBe(true);
  });

  it('stays ready when a new version of a ready model failed to load', () => {
    expect(evaluate({ ...healthy, models: [{ ...good, reason: 'version 2: no' }] }, true).ready).toBe(true);
  });

  it('is not ready once it is told to exit, and stays live', () => {
    expect(evaluate({ ...healthy, exiting: true }, false)).toMatchObject({ live: true, ready: false, started: true, exiting: true });
  });

  it('is not ready while no front-end thread listens, and ready while one that died is replaced', () => {
    const facts = { ...healthy, frontEnds: { listening: 0, expected: 2 } };
    expect(failedReasons(facts)).toEqual(['front-ends-listening: 0 of 2 front-end threads listen']);
    expect(failedReasons({ ...healthy, frontEnds: { listening: 1, expected: 2 } })).toEqual([]);
  });

  it('is not live after the main thread stood still for longer than a snapshot may age', () => {
    expect(evaluate({ ...healthy, blockedMs: 2000 }, false).live).toBe(true);
    expect(evaluate({ ...healthy, blockedMs: 2001 }, false)).toMatchObject({ live: false, ready: true });
  });
});

describe('health with GPUs', () => {
  const gpus = (state: Partial<typeof healthyGpu> = {}): GpuFacts => ({
    startCause: '',
    startReason: '',
    needed: true,
    inUse: new Set([GPU]),
    verdicts: [new GpuHealth(GPU, 10_000).update({ ...healthyGpu, ...state }, 0)],
  });
  const none: GpuFacts = { ...gpus(), startCause: 'no-device', startReason: 'libcuda.so.1: not found', inUse: new Set(), verdicts: [] };

  it('lists each GPU by its UUID, with numbers', () => {
    const { live, ready, checks } = evaluate({ ...healthy, gpus: gpus() }, false);
    expect([live, ready]).toEqual([true, true]);
    expect(checks.live[1]).toEqual({ name: 'gpu-context GPU-1234', ok: true, reason: '' });
    const detail = expect.stringMatching(/^memory 3\.1 of 80\.0 GiB, 54 C, last batch 0\.2 s ago/) as string;
    expect(checks.ready[3]).toEqual({ name: 'gpu GPU-1234', ok: true, reason: '', detail });
  });

  it('is neither live nor ready once a context has failed', () => {
    const facts = { ...healthy, gpus: gpus({ fatalCause: 'sticky-error', fatalText: 'cuX: Y (700)' }) };
    expect(evaluate(facts, false)).toMatchObject({ live: false, ready: false, started: true });
    expect(failedReasons(facts)).toEqual(['gpu-context GPU-1234: sticky-error: cuX: Y (700)', 'gpu GPU-1234: sticky-error: cuX: Y (700)']);
  });

  it('is live but not ready while a GPU hangs, and ready while it is throttled', () => {
    expect(evaluate({ ...healthy, gpus: gpus({ hungMs: 6000 }) }, false)).toMatchObject({ live: true, ready: false });
    expect(evaluate({ ...healthy, gpus: gpus({ throttled: true }) }, false)).toMatchObject({ live: true, ready: true });
  });

  it('stays ready when a GPU fails that no version runs on, unless that ends the process', () => {
    const unused = (state: Partial<typeof healthyGpu>): HealthFacts => ({ ...healthy, gpus: { ...gpus(state), inUse: new Set() } });
    const { ready, checks } = evaluate(unused({ revoked: true }), false);
    expect(ready).toBe(true);
    expect(checks.ready[3]?.detail).toMatch(/, device-revoked: the container has lost access to its devices/);
    expect(evaluate(unused({ lost: true }), false)).toMatchObject({ live: false, ready: false });
  });

  it.each(['no-device', 'driver-mismatch', 'fabric-not-ready', 'device-revoked', 'cuda-error'])(
    'is not ready when the start met %s and a model needs a GPU, and does not care otherwise',
    (startCause) => {
      const facts = { ...healthy, gpus: { ...none, startCause } };
      expect(evaluate(facts, false)).toMatchObject({ live: true, ready: false, started: true });
      expect(failedReasons(facts)).toEqual([`gpu-found: ${startCause}: libcuda.so.1: not found`]);
      expect(evaluate({ ...facts, gpus: { ...facts.gpus, needed: false } }, false)).toEqual(evaluate(healthy, false));
    },
  );
});
