import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { machineFacts, runFacts, versionFacts } from '../../../../src/planning/measure/machine.js';
import { RunStore, type RunFacts } from '../../../../src/planning/measure/run-store.js';
import { StoredServer, type TriedServer } from '../../../../src/planning/measure/stored-server.js';
import type { TrialLoad } from '../../../../src/planning/measure/trial.js';
import { SETTINGS, SimulatedServer } from './simulated-server.js';

const FACTS: RunFacts = { machine: { cpu: 'z', cores: 2 }, versions: { penstock: '1' }, model: { name: 'm', hash: 'abc' } };
const LOAD: TrialLoad = { rate: 100, inFlight: null, arrivals: 'poisson', seconds: 2, rowsPerRequest: 1, seed: 7, goalMs: null };

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-runs-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'runs');
}

const trialOf = (load = LOAD): ReturnType<SimulatedServer['measure']> =>
  new SimulatedServer({ highest: () => 1000 }, 1).measure(SETTINGS, load);

function kept(folder: string, ...loads: readonly TrialLoad[]): void {
  const store = new RunStore(folder, FACTS);
  for (const load of loads) store.keep(trialOf(load), 3);
}

describe('runs on disk', () => {
  it('are taken by whoever asks for the same', () => {
    const folder = temporaryFolder();
    kept(folder, LOAD);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^b8-l1-t1-r100-2s-s7-[0-9a-f]{12}\.json$/)]);
    const store = new RunStore(folder, structuredClone(FACTS));
    expect(store.notes).toEqual([]);
    expect(store.take({ ...SETTINGS }, { ...LOAD })).toEqual(trialOf());
  });

  it.each<[string, Partial<RunFacts>, object, Partial<TrialLoad>]>([
    ['machine', { machine: { cpu: 'z', cores: 4 } }, {}, {}],
    ['version', { versions: { penstock: '2' } }, {}, {}],
    ['model', { model: { name: 'm', hash: 'abd' } }, {}, {}],
    ['setting', {}, { lanes: 2 }, {}],
    ['rate', {}, {}, { rate: 101 }],
    ['seed', {}, {}, { seed: 8 }],
  ])('are never taken for another %s', (_, facts, settings, load) => {
    const folder = temporaryFolder();
    kept(folder, LOAD);
    const store = new RunStore(folder, { ...FACTS, ...facts });
    expect(store.take({ ...SETTINGS, ...settings }, { ...LOAD, ...load })).toBeUndefined();
  });

  it('hold everything the figures depend on', () => {
    const folder = temporaryFolder();
    kept(folder, LOAD);
    const run = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0] ?? ''), 'utf8')) as object;
    expect(run).toMatchObject({ format: 1, ...FACTS, tookS: 3, trial: { settings: SETTINGS, load: LOAD, result: { counts: {} } } });
  });

  it('take as long as they took when they were measured', () => {
    const folder = temporaryFolder();
    kept(folder, LOAD);
    const store = new RunStore(folder, FACTS);
    const before = store.clock();
    store.take(SETTINGS, LOAD);
    expect(store.clock() - before).toBeGreaterThanOrEqual(3);
  });

  it('are named and passed over when they are damaged', () => {
    const folder = temporaryFolder();
    kept(folder, LOAD, { ...LOAD, seed: 8 }, { ...LOAD, seed: 9 });
    const [cut = '', moved = ''] = readdirSync(folder).sort();
    truncateSync(join(folder, cut), 100);
    renameSync(join(folder, moved), join(folder, `other-${moved}`));
    writeFileSync(join(folder, 'a.json'), '{"format":1}');
    writeFileSync(join(folder, 'c.json.new'), 'left by somebody who was stopped');
    mkdirSync(join(folder, 'd.json'));
    const store = new RunStore(folder, FACTS);
    expect(store.notes).toEqual([
      'runs/a.json is passed over: no run that this version wrote',
      expect.stringContaining(`runs/${cut} is passed over: `),
      expect.stringContaining('runs/d.json is passed over: EISDIR'),
      `runs/other-${moved} is passed over: changed or renamed since it was written`,
    ]);
    expect(store.take(SETTINGS, LOAD)).toBeUndefined();
    expect(store.take(SETTINGS, { ...LOAD, seed: 9 })).toBeDefined();
  });

  it('are passed over in one sentence when there are many, as in a folder of another version', () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    for (const name of ['a', 'b', 'c']) writeFileSync(join(folder, `${name}.json`), '{"format":0}');
    expect(new RunStore(folder, FACTS).notes).toEqual(['runs/a.json and 2 more are passed over: no run that this version wrote']);
  });

  it('are passed over when a figure in them was changed', () => {
    const folder = temporaryFolder();
    kept(folder, LOAD);
    const [name = ''] = readdirSync(folder);
    const text = readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(folder, name), text.replace('"misses": 0', '"misses": 7'));
    expect(readFileSync(join(folder, name), 'utf8')).not.toBe(text);
    const store = new RunStore(folder, FACTS);
    expect(store.notes).toEqual([`runs/${name} is passed over: changed or renamed since it was written`]);
    expect(store.take(SETTINGS, LOAD)).toBeUndefined();
  });

  it('keep what was there when another cannot be written', () => {
    const folder = temporaryFolder();
    const store = new RunStore(folder, FACTS);
    store.keep(trialOf(), 3);
    const names = readdirSync(folder);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, '');
    expect(() => store.keep(trialOf({ ...LOAD, seed: 8 }), 3)).toThrow('ENOTDIR');
    expect(names).toHaveLength(1);
    expect(store.take(SETTINGS, LOAD)).toBeDefined();
  });
});

describe('a stored server', () => {
  it('is started for what is not on disk, once', async () => {
    const folder = temporaryFolder();
    kept(folder, LOAD);
    let [starts, stops] = [0, 0];
    const start = (): Promise<TriedServer> => {
      starts++;
      return Promise.resolve({ measure: (load) => Promise.resolve(trialOf(load)), stop: () => Promise.resolve(void stops++) });
    };
    const server = new StoredServer(new RunStore(folder, FACTS), SETTINGS, start);
    await server.measure(LOAD);
    expect(starts).toBe(0);
    await server.measure({ ...LOAD, seed: 8 });
    await server.measure({ ...LOAD, seed: 9 });
    await server.stop();
    await server.stop();
    expect([starts, stops]).toEqual([1, 1]);
    expect(readdirSync(folder)).toHaveLength(3);
  });
});

describe('what runs depend on', () => {
  it('is the machine itself, and which devices measured servers are shown', () => {
    const [one, other] = [mkdtempSync(join(tmpdir(), 'penstock-machine-test-')), mkdtempSync(join(tmpdir(), 'penstock-machine-test-'))];
    onTestFinished(() => [one, other].forEach((root) => rmSync(root, { recursive: true, force: true })));
    for (const [root, id] of [
      [one, 'aaa'],
      [other, 'bbb'],
    ] as const) {
      mkdirSync(join(root, 'etc'));
      writeFileSync(join(root, 'etc/machine-id'), `${id}\n`);
    }
    expect(machineFacts(one)).toEqual(machineFacts(one));
    expect(machineFacts(one)['id']).not.toBe(machineFacts(other)['id']);
    expect(JSON.stringify(machineFacts(one))).not.toContain('aaa');

    vi.stubEnv('CUDA_VISIBLE_DEVICES', '3');
    onTestFinished(() => void vi.unstubAllEnvs());
    const choices = { shapes: new Map(), data: 'random', seed: 1, latencyGoalMs: 0 } as const;
    const model = { folder: '', name: 'm', config: null, version: 1, versionFolder: '', hash: '', choices };
    expect(runFacts(model).machine).toMatchObject({ 'env CUDA_VISIBLE_DEVICES': '3' });
  });

  it('names the GPUs and the driver where there are any', () => {
    const root = mkdtempSync(join(tmpdir(), 'penstock-machine-test-'));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    expect(machineFacts(root)).not.toHaveProperty('gpu');
    for (const address of ['0000:01:00.0', '0000:02:00.0']) {
      const folder = join(root, 'proc/driver/nvidia/gpus', address);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'information'), 'Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 77\n');
    }
    const version = 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build';
    writeFileSync(join(root, 'proc/driver/nvidia/version'), version);
    expect(machineFacts(root)).toMatchObject({ gpu: 'NVIDIA H100 80GB HBM3', gpus: 2 });
    expect(versionFacts(root)).toMatchObject({ driver: '570.86.15', node: process.version });
  });
});
