import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PlanFolder } from '../../../../src/planning/plan/plan-folder.js';
import { writeOutputs } from '../../../../src/planning/plan/plan-outputs.js';
import { WriteFailure } from '../../../../src/planning/whole-file.js';
import { EXAMPLE_PLAN } from './example-plan.js';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-plan-outputs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const settingsFor = (out: string) =>
  ({ autoscaler: 'none', k8s: '', out, hardware: { gpu: null, cpus: 2 }, sharedBy: 1, cpuMsPerRequest: null }) as const;

describe('the files of a plan', () => {
  it('are four, and those of an earlier plan that the new one does not have go', () => {
    const out = newFolder();
    const folder = new PlanFolder(out);
    writeOutputs(folder, EXAMPLE_PLAN, null, settingsFor(out));
    expect(readdirSync(out).sort()).toEqual(['config.pbtxt', 'kustomization.yaml', 'plan.json', 'report.html', 'runs']);
    writeOutputs(folder, { ...EXAMPLE_PLAN, replicas: null }, null, settingsFor(out));
    expect(existsSync(join(out, 'config.pbtxt'))).toBe(true);
    expect(existsSync(join(out, 'kustomization.yaml'))).toBe(false);
    writeOutputs(folder, { ...EXAMPLE_PLAN, chosen: null, replicas: null }, null, settingsFor(out));
    expect(readdirSync(out).sort()).toEqual(['plan.json', 'report.html', 'runs']);
    expect(JSON.parse(readFileSync(join(out, 'plan.json'), 'utf8'))).toMatchObject({ chosen: null });
  });

  it('are told from other files by what is thrown when they cannot be written', () => {
    const out = newFolder();
    const folder = new PlanFolder(out);
    mkdirSync(join(out, 'plan.json'));
    expect(() => folder.write('plan.json', '{}')).toThrow(WriteFailure);
    expect(() => folder.write('plan.json', '{}')).toThrow(join(out, 'plan.json'));
    expect(readdirSync(out)).not.toContain('plan.json.new');
    writeFileSync(join(out, 'file'), '');
    expect(() => new PlanFolder(join(out, 'file'))).toThrow(WriteFailure);
  });
});
