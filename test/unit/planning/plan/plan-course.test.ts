import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OptionsError } from '../../../../src/config/load.js';
import { ServerDied } from '../../../../src/planning/measure/measured-server.js';
import { rateBounds } from '../../../../src/planning/measure/rate-evidence.js';
import type { Trial, TrialLoad } from '../../../../src/planning/measure/trial.js';
import { measureCourse } from '../../../../src/planning/plan/plan-course.js';
import { PlanDraft } from '../../../../src/planning/plan/plan-draft.js';
import { loadPlanOptions } from '../../../../src/planning/plan/plan-options.js';
import { settingsName, type ServerSettings } from '../../../../src/planning/server-settings.js';
import { SimulatedServer } from '../measure/simulated-server.js';

const FIRST: ServerSettings = { maxBatchSize: 64, lanes: 1, maxQueueDelayUs: null, cpuThreads: 1 };
const CHOICES = { shapes: new Map(), data: 'random', seed: 1, latencyGoalMs: 0 } as const;
const MODEL = { folder: '', name: 'm', config: null, version: 1, versionFolder: '', hash: '', choices: CHOICES };
/** Trials for the curve of run times, which no other has. */
const isRunTime = ({ seconds, inFlight }: TrialLoad): boolean => inFlight === 1 && seconds === 0.5;

interface Measured {
  readonly draft: PlanDraft;
  readonly notes: string;
  readonly server: SimulatedServer;
  readonly runTimeRows: readonly number[];
}

/** `check` may throw in place of a trial. */
async function measured(
  budget: string,
  merges: boolean,
  check: (load: TrialLoad, server: SimulatedServer) => void,
  flags: readonly string[] = [],
): Promise<Measured> {
  const out = mkdtempSync(join(tmpdir(), 'penstock-course-test-'));
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  const asked = ['m', '--latency-p99', '20ms', '--load', '100/s', '--out', join(out, 'plan'), '--budget', budget];
  const options = loadPlanOptions([...asked, ...flags]);
  const draft = new PlanDraft(options, MODEL, { machine: {}, versions: {} });
  const server = new SimulatedServer({ highest: ({ maxBatchSize }) => maxBatchSize * 20 }, 1);
  const measure = (settings: ServerSettings, load: TrialLoad): Trial => {
    check(load, server);
    const trial = server.measure(settings, load);
    draft.add(trial);
    return trial;
  };
  await measureCourse({
    options,
    draft,
    servers: {
      placement: { kind: 'cpu' },
      ownSettings: () => Promise.resolve({ settings: FIRST, merges, inputShapes: {} }),
      start: (settings) => ({
        measure: (load) => new Promise((resolve) => resolve(measure(settings, load))),
        stop: () => Promise.resolve(),
      }),
    },
    clock: server.clock,
    progress: () => {},
    save: () => {},
  });
  const { notes } = draft.plan();
  const runTimeRows = draft.trials
    .map(({ load }) => load)
    .filter(isRunTime)
    .map(({ rowsPerRequest }) => rowsPerRequest);
  return { draft, server, notes: notes.join('\n'), runTimeRows };
}

describe('the course of a plan', () => {
  it('counts the points of the curve among what shows the rate', async () => {
    const { draft } = await measured('60s', true, () => {});
    const { best, trials, candidates } = draft;
    const goal = { percentile: 99, latencyMs: 20 };
    const all = trials.filter(
      ({ settings, load }) => settingsName(settings) === settingsName(best?.settings ?? FIRST) && load.goalMs !== null,
    );
    expect(best?.rate.low).toBeGreaterThan(0);
    expect(best?.rate.low).toBe(rateBounds(all, goal).low);
    expect(candidates.find(({ settings }) => settings === best?.settings)?.rate).toEqual(best?.rate);
  });

  it('shows that the load asked for is met where the search was too short to show any rate', async () => {
    // Seconds that a slow start of each server takes off the search.
    const { draft } = await measured('10s', true, (load, server) => {
      if (load.rate === null) server.nowS += 2;
    });
    const { best, trials } = draft;
    const asked = trials.filter(({ load }) => load.rate === 100 && load.seconds >= 4);
    expect(asked).toHaveLength(1);
    expect(best?.rate.low).toBeGreaterThanOrEqual(100);
  });

  it('goes on when the server refuses requests of some size', async () => {
    const { draft, notes, runTimeRows } = await measured('400s', true, (load) => {
      if (isRunTime(load) && load.rowsPerRequest === 4) throw new OptionsError(['the model does not answer: status 400']);
    });
    expect(notes).toContain('Requests of 4 rows, one at a time, could not be measured: the model does not answer: status 400.');
    expect(runTimeRows).toEqual(expect.arrayContaining([1, 2, 8, 16, 32]));
    expect(draft.plan().curve.length).toBeGreaterThan(2);
  });

  it('goes on when the server dies of a load after the search', async () => {
    const { draft, notes } = await measured('400s', true, (load) => {
      if (isRunTime(load) && load.rowsPerRequest === 8) throw new ServerDied('the measured server died while it was measured (SIGKILL)');
    });
    expect(notes).toContain('Requests of 8 rows, one at a time, could not be measured: the measured server died');
    expect(draft.plan().curve.length).toBeGreaterThan(2);
  });

  it('is refused for precisions of a GPU on the CPU', async () => {
    const refused = measured('400s', true, () => {}, ['--precisions', 'tf32,fp32']);
    await expect(refused).rejects.toThrow('--precisions: the model runs on the CPU, which has one');
  });

  it('ends with its budget, after one run time at least', async () => {
    // Each of them takes as long as a large model needs to be loaded.
    const { notes, runTimeRows, draft } = await measured('100s', true, (load, server) => {
      if (isRunTime(load)) server.nowS += 60;
    });
    expect(runTimeRows).toEqual([1]);
    expect(notes).toContain('The time did not suffice for all of the curve');
    expect(draft.trials.at(-1)?.load).toMatchObject({ inFlight: 1, seconds: 0.5 });
  });

  it('tries neither delays nor sizes of batches where requests do not share them', async () => {
    const { draft, notes } = await measured('200s', false, () => {});
    const { candidates } = draft.plan();
    expect(candidates.length).toBeGreaterThan(1);
    expect(candidates.every(({ settings }) => settings.maxBatchSize === 64 && settings.maxQueueDelayUs === null)).toBe(true);
    expect(notes).toContain('Requests do not share batches');
  });
});
