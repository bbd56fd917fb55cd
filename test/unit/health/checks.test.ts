import { describe, expect, it } from 'vitest';
import { evaluateHealth, type HealthFacts } from '../../../src/health/checks.js';

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
