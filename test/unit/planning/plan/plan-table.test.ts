import { describe, expect, it } from 'vitest';
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
autoscaling   3 to 6 replicas, one more from 1121/s each (lanes 72 % busy)
cost          0.30 USD an hour (2 x cpu-core, 0.10 USD each), 0.042 USD for a million requests
note: The load generator shared the cores with the server: a server that has them for itself does more.`,
    );
  });

  it('says so where nothing was measured, or nothing meets the goal', () => {
    const table = planTable({ ...EXAMPLE_PLAN, candidates: [], chosen: null, replicas: null, autoscaling: null, cost: null });
    expect(table).toContain('no settings were measured');
    expect(table).toContain('answer        no settings meet the goal on this machine');
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
      settings: { maxBatchSize: 2 ** i, lanes: 1, maxQueueDelayUs: 100, cpuThreads: 2 },
      rate: { value: i, low: i, high: i },
      trials: 1,
      state: 'finished' as const,
    }));
    const table = planTable({ ...EXAMPLE_PLAN, candidates });
    expect(table).toContain('batches up to 256, 1 lane, 2 threads, delay 100 us');
    expect(table).not.toContain('batches up to 4,');
    expect(table).toContain('3 more in plan.json');
  });
});
