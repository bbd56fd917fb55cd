import { expect, test } from 'vitest';
import { PlanDraft } from '../../../../src/planning/plan/plan-draft.js';
import { noteCircumstances } from '../../../../src/planning/plan/plan-notes.js';
import { loadPlanOptions } from '../../../../src/planning/plan/plan-options.js';
import { trialOf } from '../server-model/known-server.js';

const CHOICES = { shapes: new Map(), data: 'random', seed: 1, latencyGoalMs: 0 } as const;
const MODEL = { folder: '', name: 'm', config: null, version: 1, versionFolder: '', hash: '', choices: CHOICES };

/** Of a machine on which lone runs took so long, one time after the other. */
function notesOf(runTimes: readonly number[]): string {
  const options = loadPlanOptions(['m', '--latency-p99', '20ms', '--load', '100/s', '--out', 'plan']);
  const draft = new PlanDraft(options, MODEL, { machine: {}, versions: {} });
  for (const ms of runTimes) draft.add(trialOf({ inFlight: 1, runs: [{ rows: 1, runs: 500, ms }] }));
  noteCircumstances(options, draft, { gpu: null, cpus: 2 }, {}, null);
  return draft.plan().notes.join('\n');
}

test('says by how much the machine changed its speed while it was measured', () => {
  expect(notesOf([0.47, 0.79])).toContain('a run of 1 row took 0.470 ms at one time and 0.790 ms at another');
});

test('says nothing of changes that are those of any machine', () => {
  expect(notesOf([0.47, 0.5])).not.toContain('changed its speed');
});
