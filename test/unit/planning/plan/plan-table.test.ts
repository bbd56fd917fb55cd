import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../../src/planning/plan/plan.js';
import { planTable } from '../../../../src/planning/plan/plan-table.js';
import { EXAMPLE_PLAN } from './example-plan.js';

describe('the table of a plan', () => {
  it('says what was measured, what is chosen, how many replicas and what they cost', () => {
    expect(planTable(EXAMPLE_PLAN)).toBe(
      `digits version 2: image[1,1,8,8], poisson arrivals
goal          p99 within 20 ms; a lone request takes 0.4 ms

requests per second within the goal, by settings
  batches up to 16, 2 lanes, 1 thread          1500 (1400 to 1600)  <- chosen
  batches up to 16, 1 lane, 1 thread           below 1000, given up

settings      batches up to 16, 2 lanes, 1 thread
one replica   1500 (1400 to 1600) requests per second; latency rises steeply from 1300
replicas      3 for 2000/s: 2 and 1 to spare, 20 % headroom
              667/s each; simulated, all up: p99 2.5 ms, 1 down: p99 5.1 ms
              requests lost with 1 that die at one moment: 3
autoscaling   3 to 6 replicas, one more from 1121/s or 22 waiting requests each, or a p95 of 20 ms
              a load that rises by 0.4 % a second until the next one is ready (90 s): the goal is met, p99 15.2 ms
cost          0.30 USD an hour (2 x cpu-core, 0.10 USD each), 0.042 USD for a million requests
note: The load generator shared the cores with the server: a server that has them for itself does more.`,
    );
  });

  const NOTHING = { ...EXAMPLE_PLAN, chosen: null, replicas: null, autoscaling: null, cost: null };
  const [candidate] = EXAMPLE_PLAN.candidates;
  if (candidate === undefined) throw new Error('the example has candidates');
  const none = { ...candidate, rate: { value: 0, low: 0, high: 0 } };

  it.each<[string, Partial<Plan>, string]>([
    ['was stopped before the first trial', { candidates: [], loneRequestMs: null, isComplete: false }, 'none: no settings were measured'],
    ['has a goal below a lone request', { loneRequestMs: 21, isComplete: false }, 'none: a lone request takes longer than the goal'],
    ['was searched to the end in vain', { candidates: [none] }, 'no settings meet the goal on this machine'],
    ['was stopped in the search', { candidates: [none], isComplete: false }, 'not known: the search ended before it found settings'],
    [
      'had too little time',
      { candidates: [{ ...none, state: 'unfinished' as const }] },
      'not known: the search ended before it found settings',
    ],
    ['saw its servers die', { candidates: [{ ...none, state: 'died' as const }] }, 'not known: the search ended before it found settings'],
  ])('says of a plan that %s what is known', (_, fields, answer) => {
    const table = planTable({ ...NOTHING, ...fields });
    expect(table).toContain(`answer        ${answer}`);
    if (fields.loneRequestMs === null) expect(table).not.toContain('a lone request takes');
  });

  it('says of a rate that no interval has confirmed that it is not', () => {
    const { chosen } = EXAMPLE_PLAN;
    if (chosen === null) throw new Error('the example has a choice');
    const table = planTable({ ...EXAMPLE_PLAN, chosen: { ...chosen, rate: { value: 1500, low: 0, high: 1600 } }, replicas: null });
    expect(table).toContain('one replica   1500 (0 to 1600) requests per second, not confirmed;');
    expect(planTable(EXAMPLE_PLAN)).not.toContain('not confirmed');
  });

  it('says that settings are the best so far where the search did not end', () => {
    expect(planTable({ ...EXAMPLE_PLAN, isComplete: false })).toContain('1 thread (the best so far: the search did not end)');
  });

  it('has no target for the p95 of a goal that says nothing about it, and says when the headroom does not last', () => {
    const { autoscaling } = EXAMPLE_PLAN;
    if (autoscaling === null) throw new Error('the example scales');
    const ramp = { ...autoscaling.ramp, isMet: false, p99Ms: null };
    const table = planTable({ ...EXAMPLE_PLAN, goal: { percentile: 50, latencyMs: 20 }, autoscaling: { ...autoscaling, ramp } });
    expect(table).toContain('one more from 1121/s or 22 waiting requests each\n');
    expect(table).toContain('(90 s): the goal is missed, p99 never');
  });

  it('has the chosen settings first, whatever shorter searches of others have said', () => {
    const candidates = EXAMPLE_PLAN.candidates.map((candidate) => ({ ...candidate, state: 'finished' as const }));
    const [first, second] = candidates;
    if (first === undefined || second === undefined) throw new Error('the example has two candidates');
    const table = planTable({ ...EXAMPLE_PLAN, candidates: [{ ...second, rate: { value: 9000, low: 0, high: 9999 } }, first] });
    expect(table.indexOf('1500 (1400 to 1600)  <- chosen')).toBeLessThan(table.indexOf('9000 (0 to 9999)'));
  });

  it('leaves the weakest candidates to plan.json', () => {
    const candidates = Array.from({ length: 9 }, (_, i) => ({
      settings: { maxBatchSize: 2 ** i, lanes: 1, maxQueueDelayUs: 100, cpuThreads: 2, precision: 'tf32' as const },
      rate: { value: i, low: i, high: i },
      trials: 1,
      state: 'finished' as const,
    }));
    const table = planTable({ ...EXAMPLE_PLAN, candidates });
    expect(table).toContain('batches up to 256, 1 lane, 2 threads, delay 100 us, TF32');
    expect(table).not.toContain('batches up to 4,');
    expect(table).toContain('3 more in plan.json');
  });
});
