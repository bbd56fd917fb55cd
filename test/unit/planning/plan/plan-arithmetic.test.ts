import { describe, expect, it } from 'vitest';
import type { SimulationJob } from '../../../../src/bridge/simulation.js';
import { calculate } from '../../../../src/planning/plan/plan-arithmetic.js';
import { PlanDraft } from '../../../../src/planning/plan/plan-draft.js';
import { loadPlanOptions } from '../../../../src/planning/plan/plan-options.js';
import { ONE_LANE, simulateQueues, trialOf } from '../server-model/known-server.js';

const SIZES = [1, 2, 4, 8, 16];
const FACTS = { machine: {}, versions: {} };
const MODEL = { folder: '', name: 'm', config: null, version: 1, versionFolder: '', hash: '' };

/** With trials of a server that takes 1 ms and a tenth for each row. `simulated` is called before each set of simulations. */
async function calculated(stop: AbortController, simulated: (sets: number) => void = () => {}) {
  const options = loadPlanOptions(['m', '--latency-p99', '20ms', '--load', '1000/s', '--out', '/tmp/penstock-never-made']);
  const choices = { shapes: new Map(), data: 'random', seed: 1, latencyGoalMs: 0 } as const;
  const draft = new PlanDraft(options, { ...MODEL, choices }, FACTS);
  const runs = SIZES.map((rows) => ({ rows, runs: 100, ms: 1 + rows / 10 }));
  const alone = trialOf({ runs: [{ rows: 1, runs: 100, ms: 1.1 }], inFlight: 1 });
  for (const trial of [alone, trialOf({ runs })]) draft.add(trial);
  draft.best = { settings: ONE_LANE, rate: { value: 500, low: 480, high: 520 }, isConfirmed: true, trials: [] };
  draft.found = [draft.best, { ...draft.best, settings: { ...ONE_LANE, maxBatchSize: 8 } }];
  let sets = 0;
  const told: string[] = [];
  const run = (jobs: readonly SimulationJob[], signal?: AbortSignal) => {
    simulated(++sets);
    signal?.throwIfAborted();
    return simulateQueues(jobs);
  };
  await calculate({
    ...{ options, draft, hardware: { gpu: null, cpus: 2 }, stop: stop.signal, progress: ({ text }) => told.push(text) },
    pool: { run: async (...of) => run(...of) },
  });
  return { plan: draft.plan(), told: new Set(told) };
}

describe('the arithmetic of a plan', () => {
  it('tells that it simulates', async () => {
    const { plan, told } = await calculated(new AbortController());
    expect(plan.replicas?.needed).toBeGreaterThan(2);
    expect(told).toContain('simulating replicas');
  });

  it('is ended by a signal, with a note', async () => {
    const stop = new AbortController();
    const { plan } = await calculated(stop, () => stop.abort());
    expect(plan.replicas).toBeNull();
    expect(plan.notes.join(' ')).toContain('The simulation was stopped: there is no number of replicas without it.');
    expect(plan.notes.join(' ')).toContain('because the plan was stopped');
  });

  it('still has the number of replicas where the measuring was stopped, but no predictions', async () => {
    const stop = new AbortController();
    stop.abort();
    const { plan, told } = await calculated(stop);
    expect(plan.replicas?.needed).toBeGreaterThan(2);
    expect(plan.predictions).toEqual([]);
    expect([...told]).toEqual(['simulating replicas']);
    expect(plan.notes).toEqual([expect.stringContaining('because the plan was stopped')]);
  });
});
