import { describe, expect, it, vi } from 'vitest';
import type { HealthSnapshot } from '../../../src/bridge/health-snapshot.js';
import { isProbePath, probeAnswer } from '../../../src/bridge/probe-answers.js';

vi.mock('../../../src/bridge/addon.js', () => ({ addon: {} }));

const sick: HealthSnapshot = {
  live: true,
  ready: false,
  started: true,
  exiting: false,
  checks: {
    live: [{ name: 'main-thread-progress', ok: true, reason: '' }],
    ready: [
      { name: 'models-loaded', ok: true, reason: '' },
      { name: 'not-draining', ok: false, reason: 'SIGTERM was received' },
    ],
    started: [],
  },
};

describe('the probes', () => {
  it.each(['/health', '/healthz', '/livez', '/startup', '/startupz', '/v2/health/live'])('answer 200 on %s while it holds', (path) => {
    expect(probeAnswer(path, sick)?.status).toBe(200);
  });

  it.each(['/ready', '/readyz', '/v2/health/ready'])('answer 503 on %s while it does not', (path) => {
    expect(probeAnswer(path, sick)?.status).toBe(503);
  });

  it('name the check that failed and why', () => {
    expect(JSON.parse(probeAnswer('/ready', sick)?.body ?? '')).toEqual({
      status: 'failed',
      checks: [
        { name: 'models-loaded', ok: true },
        { name: 'not-draining', ok: false, reason: 'SIGTERM was received' },
      ],
    });
  });

  it('tell the numbers behind a check, whatever its answer', () => {
    const checks = [
      { name: 'gpu GPU-1', ok: true, reason: '', detail: '54 C' },
      { name: 'gpu GPU-2', ok: false, reason: 'hang', detail: '99 C' },
    ];
    const body = probeAnswer('/ready', { ...sick, checks: { ...sick.checks, ready: checks } })?.body ?? '';
    expect(JSON.parse(body)).toEqual({
      status: 'failed',
      checks: [
        { name: 'gpu GPU-1', ok: true, detail: '54 C' },
        { name: 'gpu GPU-2', ok: false, reason: 'hang', detail: '99 C' },
      ],
    });
  });

  it("answer the protocol's paths in its words", () => {
    expect(probeAnswer('/v2/health/live', sick)?.body).toBe('{"live":true}');
    expect(JSON.parse(probeAnswer('/v2/health/ready', sick)?.body ?? '')).toMatchObject({ ready: false });
  });

  it('are found on no other path', () => {
    expect(probeAnswer('/v2/health/started', sick)).toBeUndefined();
    expect(isProbePath('/ready/')).toBe(false);
  });
});
