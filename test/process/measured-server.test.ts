import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { MeasuredServer, ServerDied } from '../../src/planning/measure/measured-server.js';
import { openModel } from '../../src/planning/measure/model-under-test.js';
import { runFacts } from '../../src/planning/measure/machine.js';
import { RunStore } from '../../src/planning/measure/run-store.js';
import { StoredServer, type TriedServer } from '../../src/planning/measure/stored-server.js';
import type { TrialLoad } from '../../src/planning/measure/trial.js';
import type { ServerSettings } from '../../src/planning/server-settings.js';
import { buildFakeGpu, fakeGpuEnvironment, fakeOrtLibrary, FakeGpuScript } from '../support/fake-gpu.js';
import { repositoryRoot, shippedModels } from '../support/server-process.js';

const SETTINGS: ServerSettings = { maxBatchSize: 8, lanes: 1, maxQueueDelayUs: null, cpuThreads: 1 };
const LOAD: TrialLoad = { rate: 100, inFlight: null, arrivals: 'constant', seconds: 1, rowsPerRequest: 1, seed: 1, goalMs: null };
const digits = join(shippedModels, 'digits');

const never = (): AbortSignal => new AbortController().signal;

/** Temporary files of this file alone: another planner may be at work on the machine. */
const temporary = mkdtempSync(join(tmpdir(), 'penstock-measured-'));
const { TMPDIR } = process.env;
beforeAll(() => void (process.env['TMPDIR'] = temporary));
afterAll(() => {
  if (TMPDIR === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = TMPDIR;
  rmSync(temporary, { recursive: true, force: true });
});
const leftFolders = (): string[] => readdirSync(temporary).filter((name) => name.startsWith('penstock-plan-'));

async function started(settings: Partial<ServerSettings> = {}): Promise<MeasuredServer> {
  const server = await MeasuredServer.start(await openModel(digits), { ...SETTINGS, ...settings }, never());
  onTestFinished(() => server.stop());
  return server;
}

describe('a measured server', () => {
  it('serves the newest version of the model under the settings, and tells what it ran', async () => {
    const server = await started({ maxBatchSize: 4, lanes: 3, maxQueueDelayUs: 2000 });
    expect(server.served).toEqual({ maxBatchSize: 4, lanes: 3, merges: true, placement: { kind: 'cpu' } });
    expect(server.target.model.versions).toEqual(['2']);

    const trial = await server.measure({ ...LOAD, rowsPerRequest: 2 }, never());
    expect(trial.result.counts).toMatchObject({ requests: 100, answered: 100, misses: 0, warm_up: 25 });
    expect(trial).toMatchObject({ settings: { maxBatchSize: 4, lanes: 3 }, gpus: 0 });
    const rows = trial.batches.reduce((sum, batch) => sum + batch.rows * batch.runs, 0);
    expect(rows).toBe(250);
    expect(trial.batches.every((batch) => batch.rows <= 4 && batch.meanMs > 0)).toBe(true);
    expect(trial.laneCpuMs).toBeGreaterThan(0);
    expect(trial.frontEndCpuMs).toBeGreaterThan(0);
  });

  it('counts what is answered after the goal, and says so when not even a lone request is in time', async () => {
    const choices = { shapes: new Map(), data: 'random', seed: 1 } as const;
    const reachable = await openModel(digits, { ...choices, latencyGoalMs: 10_000 });
    const server = await MeasuredServer.start(reachable, SETTINGS, never());
    onTestFinished(() => server.stop());
    const { result } = await server.measure({ ...LOAD, rate: 50, goalMs: 10_000 }, never());
    expect(result).toMatchObject({ goal_ms: 10_000, counts: { answered: 50, late_answers: 0 } });

    const unreachable = await openModel(digits, { ...choices, latencyGoalMs: 0.001 });
    const starting = MeasuredServer.start(unreachable, SETTINGS, never());
    await expect(starting).rejects.toThrow(/^not even a lone request is answered, with a goal of 0\.001 ms: .*status 503/);
    await expect(starting).rejects.toMatchObject({ code: 'ERR_CONFIG_OPTION' });
  });

  it('runs a closed loop, too', async () => {
    const server = await started();
    const trial = await server.measure({ ...LOAD, rate: null, inFlight: 2, seconds: 0.5 }, never());
    expect(trial.result.settings).toMatchObject({ loop: 'closed', concurrency: 2 });
    expect(trial.result.rate_answered).toBeGreaterThan(0);
  });

  it('leaves neither a process nor files behind when it is stopped', async () => {
    const server = await started();
    expect(leftFolders()).toHaveLength(1);
    const { pid } = server;
    await server.stop();
    await server.stop();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(leftFolders()).toEqual([]);
  });

  it('says what it died of while it is measured', async () => {
    const server = await started();
    const measured = server.measure({ ...LOAD, seconds: 60 }, never());
    const thrown = expect(measured).rejects.toThrow('the measured server died while it was measured (SIGKILL)');
    await sleep(500);
    process.kill(server.pid, 'SIGKILL');
    await thrown;
    await expect(server.measure(LOAD, never())).rejects.toBeInstanceOf(ServerDied);
  });

  it('ends a measurement when it is told to', async () => {
    const server = await started();
    const stop = new AbortController();
    const measured = server.measure({ ...LOAD, seconds: 60 }, stop.signal);
    const thrown = expect(measured).rejects.toThrow('enough');
    await sleep(300);
    stop.abort(new Error('enough'));
    await thrown;
    await expect(MeasuredServer.start(await openModel(digits), SETTINGS, stop.signal)).rejects.toThrow('enough');
  });

  it('repeats the reason of a server that does not become ready', async () => {
    mkdirSync(join(temporary, 'broken/1'), { recursive: true });
    writeFileSync(join(temporary, 'broken/1/model.onnx'), 'no model');
    const model = await openModel(join(temporary, 'broken'));
    const starting = MeasuredServer.start(model, SETTINGS, never());
    await expect(starting).rejects.toThrow(/^the measured server did not become ready \(exit code 73\): --exit-on-error: model "broken": /);
    expect(leftFolders()).toEqual([]);
  });

  it('does not outlive a planner that is killed', async () => {
    const built = (name: string): string => JSON.stringify(join(repositoryRoot, 'dist/planning/measure', name));
    const script = `
      import { MeasuredServer } from ${built('measured-server.js')};
      import { openModel } from ${built('model-under-test.js')};
      const model = await openModel(${JSON.stringify(digits)});
      const server = await MeasuredServer.start(model, ${JSON.stringify(SETTINGS)}, new AbortController().signal);
      console.log(server.pid);
      setInterval(() => {}, 1000);`;
    const planner = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void planner.kill('SIGKILL'));
    const pid = await new Promise<number>((resolve) => createInterface(planner.stdout).once('line', (line) => resolve(Number(line))));
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    planner.kill('SIGKILL');
    while (existsSync(`/proc/${pid}`)) await sleep(20);
    // Nobody was left to remove them.
    for (const folder of leftFolders()) rmSync(join(temporary, folder), { recursive: true });
  });

  describe('on a machine with GPUs', () => {
    beforeAll(() => buildFakeGpu(), 600_000);

    function withGpus(count: number): FakeGpuScript {
      const script = new FakeGpuScript([`gpus ${count}`]);
      const environment = { ...fakeGpuEnvironment(script), PENSTOCK_ORT_LIBRARY: fakeOrtLibrary };
      for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
      onTestFinished(() => {
        vi.unstubAllEnvs();
        script.remove();
      });
      return script;
    }

    it('says on how many of them it runs the model, and that it does on none', async () => {
      const onBoth = mkdtempSync(join(temporary, 'gpu-'));
      cpSync(join(shippedModels, 'add_sub/1'), join(onBoth, 'add_sub/1'), { recursive: true });
      const model = await openModel(join(onBoth, 'add_sub'));
      withGpus(2);
      const both = await MeasuredServer.start(model, SETTINGS, never());
      onTestFinished(() => both.stop());
      expect(both.served).toMatchObject({ lanes: 2, placement: { kind: 'gpu', gpus: [expect.any(String), expect.any(String)] } });
      vi.stubEnv('PENSTOCK_GPU', 'off');
      const none = await MeasuredServer.start(model, SETTINGS, never());
      onTestFinished(() => none.stop());
      expect(none.served.placement).toEqual({ kind: 'cpu' });
    });

    it('tells of how many GPUs a trial is, and times in a lane with the wait for its turn', async () => {
      const model = await openModel(digits);
      withGpus(1).write(['gpus 1', 'ort delay RunWithBinding 0ms 20ms/row']);
      const server = await MeasuredServer.start(model, { ...SETTINGS, maxBatchSize: 1, lanes: 2 }, never());
      onTestFinished(() => server.stop());
      const { gpus, batches } = await server.measure({ ...LOAD, rate: null, inFlight: 8, seconds: 2 }, never());
      expect(gpus).toBe(1);
      // Two runs one behind the other, but for the first and the last.
      expect(batches).toEqual([{ rows: 1, runs: expect.any(Number) as number, meanMs: expect.any(Number) as number }]);
      expect(batches[0]?.meanMs).toBeGreaterThan(30);
    });

    it('counts as dead when it answers as a broken server does', async () => {
      const model = await openModel(join(shippedModels, 'add_sub'));
      const script = withGpus(1);
      const server = await MeasuredServer.start(model, SETTINGS, never());
      onTestFinished(() => server.stop());
      script.write(['gpus 1', 'ort fail RunWithBinding "out of order"', 'ort fail Run "out of order"']);
      const measured = server.measure({ ...LOAD, rowsPerRequest: 2 }, never());
      await expect(measured).rejects.toBeInstanceOf(ServerDied);
      await expect(measured).rejects.toThrow(/the measured server fails: .*status 5\d\d/);
    });
  });

  it('gets none of the options of other servers from the environment', async () => {
    vi.stubEnv('PENSTOCK_STRICT_NONSENSE', '1');
    vi.stubEnv('PENSTOCK_MAX_REQUEST_BYTES', 'nonsense');
    onTestFinished(() => void vi.unstubAllEnvs());
    await started();
  });

  it('takes the rows of each trial where a whole shape is given', async () => {
    const choices = { shapes: new Map([['image', [1, 1, 8, 8]]]), data: 'random', seed: 1, latencyGoalMs: 0 } as const;
    const server = await MeasuredServer.start(await openModel(digits, choices), SETTINGS, never());
    onTestFinished(() => server.stop());
    const { batches } = await server.measure({ ...LOAD, rowsPerRequest: 4, seconds: 0.5 }, never());
    expect(batches.every(({ rows }) => rows % 4 === 0)).toBe(true);
    // The server says that it takes no such request, and goes on.
    const tooMany = server.measure({ ...LOAD, rowsPerRequest: 9 }, never());
    await expect(tooMany).rejects.toMatchObject({ code: 'ERR_CONFIG_OPTION', status: 400 });
    await server.measure({ ...LOAD, rowsPerRequest: 8, seconds: 0.5 }, never());
  });

  it('is not started for what an earlier planner has measured', async () => {
    const model = await openModel(digits);
    const runs = join(temporary, 'runs');
    const startNow = async (): Promise<TriedServer> => {
      const server = await MeasuredServer.start(model, SETTINGS, never());
      return { measure: (load) => server.measure(load, never()), stop: () => server.stop() };
    };
    const first = new StoredServer(new RunStore(runs, runFacts(model)), SETTINGS, startNow);
    onTestFinished(() => first.stop());
    const trial = await first.measure({ ...LOAD, seconds: 0.4 });
    await first.stop();

    const again = new RunStore(runs, runFacts(await openModel(digits)));
    const second = new StoredServer(again, SETTINGS, () => Promise.reject(new Error('a server was started')));
    await expect(second.measure({ ...LOAD, seconds: 0.4 })).resolves.toEqual(trial);
    await expect(second.measure({ ...LOAD, seconds: 0.5 })).rejects.toThrow('a server was started');
    expect(again.notes).toEqual([]);
  });
});
