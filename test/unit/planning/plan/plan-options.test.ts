import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OptionsError } from '../../../../src/config/load.js';
import { loadPlanOptions } from '../../../../src/planning/plan/plan-options.js';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-plan-options-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const NEEDED = ['models/digits', '--latency-p99', '20ms', '--load', '2000/s'];
const inNewFolder = (): string[] => [...NEEDED, '--out', join(newFolder(), 'plan')];

function faultsOf(...args: string[]): readonly string[] {
  try {
    loadPlanOptions(args);
  } catch (thrown) {
    if (thrown instanceof OptionsError) return thrown.faults;
    throw thrown;
  }
  return [];
}

describe('the flags of plan', () => {
  it('are four for a plan', () => {
    const options = loadPlanOptions(inNewFolder());
    expect(options).toMatchObject({
      goal: { percentile: 99, latencyMs: 20 },
      rate: 2000,
      arrivals: 'poisson',
      budgetS: 240,
      headroom: 0.2,
      spare: 1,
      startUpS: 60,
      sharedBy: 1,
      autoscaler: 'hpa',
      minReplicas: null,
      precisions: [],
    });
    expect(options.modelFolder.endsWith('/models/digits')).toBe(true);
  });

  it.each([
    ['--latency-p50', '500us', { percentile: 50, latencyMs: 0.5 }],
    ['--latency-p90', '20ms', { percentile: 90, latencyMs: 20 }],
    ['--latency-p95', '1.5s', { percentile: 95, latencyMs: 1500 }],
  ])('take the goal as %s %s', (flag, value, goal) => {
    expect(loadPlanOptions(['m', flag, value, '--load', '1/s', '--out', newFolder()]).goal).toEqual(goal);
  });

  it.each([
    ['90000/min', 1500],
    ['2e3/s', 2000],
    ['1800/h', 0.5],
  ])('take the load as %s', (load, rate) => {
    expect(loadPlanOptions(['m', '--latency-p99', '1s', '--load', load, '--out', newFolder()]).rate).toBe(rate);
  });

  it('are all named when several are wrong', () => {
    const flags = ['--latency-p99', '20', '--load', '2k/s', '--headroom', '1', '--data', 'ones', '--arrivals', 'gamma:0', '--budget', '1s'];
    expect(faultsOf('--min-replicas', '3', '--max-replicas', '2', '--kind', 'B300', '--autoscaler', 'vpa', ...flags)).toEqual([
      'MODEL_DIR is missing: the folder of a model, such as models/digits',
      '--min-replicas: 3 is more than --max-replicas 2',
      '--arrivals: "gamma:0" is not poisson, constant or gamma:SHAPE with a SHAPE above 0',
      '--latency-p99: "20" is not a time above 0 with its unit, such as 500us, 20ms or 1.5s',
      '--load: "2k/s" is not a rate above 0 with its unit, such as 2000/s or 90000/min',
      '--data: "ones" is not one of random, zeros',
      '--budget: "1s" is not a time from 5s to 24h, such as 90s or 4m',
      '--headroom: "1" is not a number from 0 to 0.9',
      '--autoscaler: "vpa" is not one of none, hpa, keda',
      '--kind: "B300" is not in the table of prices, which has cpu-core, T4, L4, A10G, L40S, A100-40GB, A100-80GB, H100, H200',
      '--out is missing: the folder for the plan',
    ]);
  });

  it('keep seeds so small that those of single runs are exact, and name a k8s that there is', () => {
    expect(loadPlanOptions([...inNewFolder(), '--seed', '4294967295']).seed).toBe(2 ** 32 - 1);
    expect(faultsOf(...inNewFolder(), '--seed', '9007199254740991', '--k8s', '/nope', '--device-shared-by', '0')).toEqual([
      '--device-shared-by: "0" is not a whole number from 1 to 100',
      '--seed: "9007199254740991" is not a whole number from 0 to 4294967295',
      '--k8s: "/nope" has no folder components; give the folder k8s of a checkout',
    ]);
  });

  it.each([
    ['fp32', ['fp32']],
    ['fp32,tf32', ['fp32', 'tf32']],
  ])('name the precisions %s', (given, precisions) => {
    expect(loadPlanOptions([...inNewFolder(), '--precisions', given]).precisions).toEqual(precisions);
  });

  it.each(['fp16', 'tf32,tf32', 'tf32,'])('do not take %s for precisions', (given) => {
    expect(faultsOf(...inNewFolder(), '--precisions', given)).toEqual([
      `--precisions: "${given}" is not a list of tf32, fp32, each at most once`,
    ]);
  });

  it('are needed', () => {
    expect(faultsOf('a', 'b').map((fault) => fault.split(':')[0])).toEqual([
      'one MODEL_DIR is planned at a time',
      '--latency-p99 is missing',
      '--load is missing',
      '--out is missing',
    ]);
    expect(faultsOf(...inNewFolder(), '--latency-p50', '1ms')).toEqual([
      'one goal is planned for: --latency-p50 and --latency-p99 exclude each other',
    ]);
    expect(faultsOf(...inNewFolder(), '--latancy-p95', '1ms')).toEqual([
      '--latancy-p95 is not a flag of plan; did you mean --latency-p95?',
    ]);
  });
});

describe('the folder of a plan', () => {
  const faultsWith = (out: string): readonly string[] => faultsOf(...NEEDED, '--out', out);

  it('may be new, empty, or that of the same model', () => {
    const folder = newFolder();
    expect(faultsWith(join(folder, 'a', 'b'))).toEqual([]);
    expect(faultsWith(folder)).toEqual([]);
    mkdirSync(join(folder, 'runs'));
    expect(faultsWith(folder)).toEqual([]);
    writeFileSync(join(folder, 'plan.json'), '{"model":{"name":"digits"}}');
    writeFileSync(join(folder, 'report.html'), '');
    expect(faultsWith(folder)).toEqual([]);
  });

  it('may hold what a plan that was killed has left, or the root of a file system', () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'plan.json.new'), '{');
    mkdirSync(join(folder, 'lost+found'));
    expect(faultsWith(folder)).toEqual([]);
  });

  it('is not in that of the model, also by a link', () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'm'));
    symlinkSync(join(folder, 'm'), join(folder, 'link'));
    const faultsInModel = (out: string): readonly string[] => faultsOf(join(folder, 'm'), ...NEEDED.slice(1), '--out', out);
    for (const out of ['m', 'm/plan', 'link/a/b']) expect(faultsInModel(join(folder, out))[0]).toContain('is in the folder of the model');
    expect(faultsInModel(join(folder, 'm-plan'))).toEqual([]);
  });

  it('is that of the model by the name that is given, where that is a link', () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'digits-v3'));
    symlinkSync('digits-v3', join(folder, 'current'));
    mkdirSync(join(folder, 'plan'));
    writeFileSync(join(folder, 'plan/plan.json'), '{"model":{"name":"current"}}');
    expect(faultsOf(join(folder, 'current'), ...NEEDED.slice(1), '--out', join(folder, 'plan'))).toEqual([]);
  });

  it('is refused where something of somebody might be overwritten', () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'config.pbtxt'), '');
    expect(faultsWith(folder)).toEqual([
      `--out: "${folder}" holds files but no plan, and they might be overwritten: name a new or an empty folder`,
    ]);
    writeFileSync(join(folder, 'plan.json'), '{"model":{"name":"resnet"}}');
    expect(faultsWith(folder)).toEqual([`--out: "${folder}" holds the plan of the model "resnet"`]);
    writeFileSync(join(folder, 'plan.json'), 'null');
    expect(faultsWith(folder)).toEqual([`--out: "${folder}" holds the plan of something else`]);
    expect(faultsWith(join(folder, 'plan.json'))).toEqual([`--out: "${join(folder, 'plan.json')}" is not a folder`]);
    expect(faultsWith(join(folder, 'plan.json', 'x'))[0]).toContain('--out: ');
  });
});
