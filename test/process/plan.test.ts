import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/planning/plan/plan.js';
import { penstock } from '../support/command.js';
import { repositoryRoot } from '../support/server-process.js';

const program = join(repositoryRoot, 'dist/main.js');
const digits = join(repositoryRoot, 'models/digits');
/** A plan of a few seconds of measuring, on a machine that others use too. */
const TIMEOUT_MS = 180_000;
/** Few and large requests, and a goal that a machine on which other programs run meets: the load generator must be in time, too. */
const GOAL = ['--latency-p50', '250ms', '--load', '3000/s', '--batch-size', '32'];

/** Where other programs have the cores, too little can be measured for a number of replicas; then the command says so. */
const MEASURED_OR_NOT = [0, 75];

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-plan-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const planIn = (out: string): Plan => JSON.parse(readFileSync(join(out, 'plan.json'), 'utf8')) as Plan;
const runsIn = (out: string): string[] => readdirSync(join(out, 'runs')).sort();

interface Planning {
  readonly pid: number;
  readonly out: string;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

function startPlan(name: string, ...flags: readonly string[]): Planning {
  const out = join(folder, name);
  const child = spawn(process.execPath, [program, 'plan', digits, ...GOAL, '--out', out, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  const closed = once(child, 'close') as Promise<[number | null]>;
  const ended = Promise.all([closed, text(child.stdout), text(child.stderr)]).then(([[code], stdout, stderr]) => {
    clearTimeout(timer);
    return { code, stdout, stderr };
  });
  return { pid: child.pid ?? 0, out, signal: (signal) => void child.kill(signal), ended };
}

/** Until the plan has measured so much. */
async function untilRuns(out: string, count: number): Promise<void> {
  while (!existsSync(join(out, 'runs')) || runsIn(out).length < count) await sleep(50);
}

/** Of the server that is measured at this moment. */
function measuredServer(pid: number): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('\0serve\0'));
}

describe('plan', () => {
  it(
    'measures a model and says how many replicas carry the load, in four files; again, it takes what it has from disk',
    async ({ skip }) => {
      const flags = ['--budget', '20s', '--price-per-hour', '0.5'];
      const { out, ended } = startPlan('whole', ...flags);
      const { code, stdout, stderr } = await ended;
      expect(MEASURED_OR_NOT, stderr).toContain(code);
      const plan = planIn(out);
      expect(plan).toMatchObject({ format: 1, model: { name: 'digits', version: '2' }, goal: { percentile: 50, latencyMs: 250 } });
      expect(plan.model.inputShapes).toEqual({ image: [32, 1, 8, 8] });
      expect(plan.loneRequestMs).toBeGreaterThan(0);
      expect(plan.candidates.length).toBeGreaterThan(0);
      expect(plan.chosen?.rate.value).toBeGreaterThan(0);
      expect(plan.curve.length).toBeGreaterThan(2);
      expect(stdout).toContain('one replica   ');
      expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('<svg');

      // The configuration is one that the server takes.
      const repository = mkdtempSync(join(folder, 'checked-'));
      cpSync(digits, join(repository, 'digits'), { recursive: true });
      copyFileSync(join(out, 'config.pbtxt'), join(repository, 'digits/config.pbtxt'));
      const checked = await penstock(['check', '--model-repository', repository]);
      expect(checked.stdout).toContain('1 of 1 models');
      expect(checked.code).toBe(0);

      const runs = runsIn(out).map((name) => [name, statSync(join(out, 'runs', name)).mtimeMs]);
      const again = await startPlan('whole', ...flags).ended;
      expect(again.code).toBe(code);
      const kept = runs.filter(([name, mtime]) => statSync(join(out, 'runs', String(name))).mtimeMs === mtime);
      expect(kept).toEqual(runs);

      const { replicas, cost, autoscaling, fitted, chosen } = planIn(out);
      if (replicas === null && plan.notes.some((note) => note.includes('load generator was late'))) {
        skip(`too busy a machine for a number of replicas: ${plan.notes.join(' ')}`);
      }
      expect(replicas, plan.notes.join(' ')).not.toBeNull();
      const perReplica = (chosen?.rate.low ?? 0) * (1 - 0.2);
      expect(fitted?.runTimes.length).toBeGreaterThan(0);
      expect((replicas?.needed ?? 0) * perReplica).toBeGreaterThanOrEqual(3000);
      expect(replicas?.total).toBe((replicas?.needed ?? 0) + 1);
      expect(cost?.allPerHour).toBeCloseTo(0.5 * (replicas?.total ?? 0));
      expect(autoscaling?.targetRate).toBeLessThanOrEqual(perReplica * 1.000001);
      expect(again.stdout).toContain(`replicas      ${replicas?.total} for 3000/s`);
      expect(readFileSync(join(out, 'kustomization.yaml'), 'utf8')).toContain('kind: Kustomization');
    },
    2 * TIMEOUT_MS,
  );

  it(
    'makes the plan of what there is when it is stopped',
    async () => {
      const planning = startPlan('stopped', '--budget', '10m');
      await untilRuns(planning.out, 4);
      planning.signal('SIGINT');
      const { code, stdout } = await planning.ended;
      expect(code).toBe(130);
      const plan = planIn(planning.out);
      expect(plan.loneRequestMs).toBeGreaterThan(0);
      expect(plan.notes.join('\n')).toContain('stopped');
      expect(stdout).toContain('note: ');
      expect(existsSync(join(planning.out, 'report.html'))).toBe(true);
    },
    TIMEOUT_MS,
  );

  it(
    'leaves an earlier plan as it is until something is measured, and says so',
    async () => {
      const out = join(folder, 'kept');
      const earlier = { 'plan.json': '{"model":{"name":"digits"}}', 'config.pbtxt': 'a', 'kustomization.yaml': 'b', 'report.html': 'c' };
      mkdirSync(out);
      for (const [name, content] of Object.entries(earlier)) writeFileSync(join(out, name), content);
      const planning = startPlan('kept', '--budget', '10m');
      while (measuredServer(planning.pid) === undefined) await sleep(10);
      planning.signal('SIGINT');
      const { code, stdout } = await planning.ended;
      expect(code).toBe(130);
      expect(runsIn(out)).toEqual([]);
      expect(stdout).toContain('answer        none: no settings were measured');
      expect(stdout).not.toContain('a lone request takes');
      for (const [name, content] of Object.entries(earlier)) expect(readFileSync(join(out, name), 'utf8')).toBe(content);
    },
    TIMEOUT_MS,
  );

  it(
    'shows what a lone request takes where the goal is below it, and takes away what an earlier plan had more',
    async () => {
      const out = join(folder, 'below');
      mkdirSync(out);
      writeFileSync(join(out, 'plan.json'), '{"model":{"name":"digits"}}');
      writeFileSync(join(out, 'kustomization.yaml'), '');
      const { code, stdout, stderr } = await penstock(['plan', digits, '--latency-p99', '1us', '--load', '1/s', '--out', out]);
      expect(stderr).toContain('penstock: the goal of 0.001 ms is below what a lone request takes');
      expect(code).toBe(64);
      expect(stdout).toContain('answer        none: a lone request takes longer than the goal');
      const plan = planIn(out);
      expect(plan).toMatchObject({ isComplete: false, chosen: null });
      expect(plan.loneRequestMs).toBeGreaterThan(0.001);
      expect(plan.notes.join(' ')).toContain('The goal of 0.001 ms is below');
      expect(runsIn(out)).toHaveLength(1);
      expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('<html');
      expect(existsSync(join(out, 'kustomization.yaml'))).toBe(false);
    },
    TIMEOUT_MS,
  );

  it(
    'says that a server died, and keeps what was measured until then',
    async () => {
      const planning = startPlan('died', '--budget', '10s');
      await untilRuns(planning.out, 3);
      let server: number | undefined;
      while ((server = measuredServer(planning.pid)) === undefined) await sleep(10);
      process.kill(server, 'SIGKILL');
      const { code, stderr } = await planning.ended;
      expect(code).toBe(70);
      expect(stderr).toMatch(/penstock: the measured server .*SIGKILL/);
      expect(planIn(planning.out).notes.join('\n')).toContain('SIGKILL');
      expect(runsIn(planning.out).length).toBeGreaterThanOrEqual(3);
    },
    TIMEOUT_MS,
  );

  it(
    'ends with a message on a full disk, and keeps what was whole',
    async ({ skip }) => {
      const script = `
        mount -t tmpfs -o size=40k penstock "$1" || exit 99
        "$2" "$3" plan "$4" --latency-p50 250ms --load 3000/s --budget 10m --out "$1/plan"
        echo "code $?"; cat "$1"/plan/plan.json; for run in "$1"/plan/runs/*; do echo; tr -d '\\n' < "$run"; done`;
      const args = ['-rm', 'sh', '-c', script, 'sh', mkdtempSync(join(folder, 'disk-')), process.execPath, program, digits];
      const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
      const closed = once(child, 'close') as Promise<[number | null]>;
      const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
      if (code === 99 || /unshare failed|Operation not permitted/.test(stderr))
        skip(`no file system can be mounted here: ${stderr.trim()}`);
      const [, status, rest = ''] = /code (\d+)\n([^]*)$/.exec(stdout) ?? [];
      expect(status).toBe('73');
      expect(stderr).toContain('penstock: ');
      expect(stderr).toContain('ENOSPC');
      expect(stdout).toContain('requests per second within the goal, by settings');
      const [plan = '', ...runs] = rest.split('\n}\n').flatMap((part, i) => (i === 0 ? [`${part}\n}`] : part.split('\n').filter(Boolean)));
      expect(JSON.parse(plan)).toMatchObject({ format: 1, model: { name: 'digits' } });
      expect(runs.length).toBeGreaterThan(0);
      for (const run of runs) JSON.parse(run);
    },
    TIMEOUT_MS,
  );

  it.each([
    ['a folder that is none', ['/nope', ...GOAL], '"/nope" is not the folder of a model'],
    ['a folder that holds models', [join(repositoryRoot, 'models'), ...GOAL], 'is not the folder of a model'],
    ['shapes that the model does not take', [digits, ...GOAL, '--shape', 'image:32,2,3,4'], '2,3,4] is not a shape of "image"'],
  ])('refuses %s', async (_, args, message) => {
    const { code, stdout, stderr } = await penstock(['plan', ...args, '--out', mkdtempSync(join(folder, 'refused-'))]);
    expect(stderr).toContain(message);
    expect(code).toBe(64);
    expect(stdout).toBe('');
  });

  it('refuses a command line with everything that is wrong', async () => {
    const { code, stderr } = await penstock(['plan', '--load', '5', '--lanes', '3']);
    expect(code).toBe(64);
    expect(stderr).toContain('penstock: --lanes is not a flag of plan');
    const second = await penstock(['plan', '--load', '5']);
    expect(second.stderr.trim().split('\n')).toHaveLength(4);
  });

  it('prints the table of prices, and its help', async () => {
    const prices = await penstock(['plan', '--print-prices']);
    expect(prices).toMatchObject({ code: 0, stderr: '' });
    expect(prices.stdout).toContain('cpu-core: ');
    expect((await penstock(['plan', '--help'])).stdout).toContain('usage: penstock plan MODEL_DIR --latency-p99 20ms');
    expect((await penstock(['--help'])).stdout).toContain('penstock plan MODEL_DIR [flags]');
  });
});
