import { describe, expect, it } from 'vitest';
import type { SearchProgress } from '../../../../src/planning/measure/max-rate.js';
import { ServerDied } from '../../../../src/planning/measure/measured-server.js';
import type { TriedServer } from '../../../../src/planning/measure/stored-server.js';
import { sweep, type SweepOptions, type SweepResult } from '../../../../src/planning/measure/sweep.js';
import { startingPoints, stepsFrom, sweepSpace } from '../../../../src/planning/measure/sweep-space.js';
import type { ServerSettings } from '../../../../src/planning/server-settings.js';
import type { LatencyGoal, TrialLoad } from '../../../../src/planning/measure/trial.js';
import { GOAL, resultOf, SimulatedServer, type SimulatedMachine } from './simulated-server.js';

type Surface = (settings: ServerSettings) => number;

const off = (value: number, from: number): number => Math.abs(Math.log2(value / from));
const SURFACES: readonly (readonly [string, Surface])[] = [
  [
    'a hill',
    ({ maxBatchSize, lanes, cpuThreads, maxQueueDelayUs }) =>
      ((4000 * maxBatchSize) / (maxBatchSize + 6)) *
      (1 - 0.06 * off(lanes, 2)) *
      (1 - 0.05 * off(cpuThreads, 1)) *
      (maxQueueDelayUs === null ? 1 : 0.9),
  ],
  [
    'a cliff',
    ({ maxBatchSize, lanes, cpuThreads }) =>
      (maxBatchSize > 16 ? 0.1 : 1) * ((4000 * maxBatchSize) / (maxBatchSize + 6)) * (1 - 0.1 * off(lanes * cpuThreads, 4)),
  ],
  [
    'a ridge between lanes and threads',
    ({ maxBatchSize, lanes, cpuThreads }) =>
      (2000 * (1 - 0.25 * off(lanes * cpuThreads, 4)) * (1 + 0.08 * Math.log2(lanes)) * maxBatchSize) / (maxBatchSize + 2),
  ],
  ['a plain', () => 3000],
];

const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);
const cpus = 4;
const limits = { maxBatchSize: 64, merges: true, rowsPerRequest: 1, cpus, goal: GOAL, precisions: [] };
const space = sweepSpace(limits);
const first: ServerSettings = { maxBatchSize: 64, lanes: 2, maxQueueDelayUs: null, cpuThreads: cpus };

function everySettings(): readonly ServerSettings[] {
  return space.maxBatchSize.flatMap((maxBatchSize) =>
    space.lanes.flatMap((lanes) =>
      space.cpuThreads.flatMap((cpuThreads) =>
        space.maxQueueDelayUs.map((maxQueueDelayUs) => ({ maxBatchSize, lanes, cpuThreads, maxQueueDelayUs })),
      ),
    ),
  );
}

interface Swept {
  readonly result: SweepResult;
  readonly server: SimulatedServer;
  readonly running: () => number;
}

async function swept(machine: SimulatedMachine, seed: number, given: Partial<SweepOptions> = {}): Promise<Swept> {
  const server = new SimulatedServer({ hiccups: 0.02, ...machine }, seed);
  let running = 0;
  const result = await sweep({
    space,
    first,
    goal: GOAL,
    rowsPerRequest: 1,
    arrivals: 'poisson',
    seed,
    budgetS: 200,
    progress: () => {},
    clock: server.clock,
    start: (settings) => {
      server.nowS += 1;
      running++;
      const stop = (): Promise<void> => Promise.resolve(void running--);
      return Promise.resolve({ measure: (load) => Promise.resolve(server.measure(settings, load)), stop });
    },
    ...given,
  });
  return { result, server, running: () => running };
}

/** Each request takes so many milliseconds: a shorter trial has none that counts. */
class SlowServer {
  readonly loads: TrialLoad[] = [];
  readonly options: Partial<SweepOptions>;

  constructor(ms: number) {
    let nowS = 0;
    this.options = {
      budgetS: 2000,
      clock: () => nowS,
      start: (settings) => {
        const measure: TriedServer['measure'] = (load) => {
          this.loads.push(load);
          nowS += load.seconds * 1.25;
          const requests = Math.floor((load.seconds * 1000) / ms) * (load.inFlight ?? 1);
          const result = { ...resultOf([[requests, 0]], ms), rate_answered: requests / load.seconds };
          const empty = { value: null, low: null, high: null };
          const latency = requests === 0 ? { ...result.latency_ms, p50: empty } : { ...result.latency_ms, p50: { ...empty, value: ms } };
          return Promise.resolve({
            settings,
            gpus: 0,
            load,
            result: { ...result, latency_ms: latency },
            batches: [],
            laneCpuMs: 1,
            frontEndCpuMs: 1,
          });
        };
        return Promise.resolve({ measure, stop: () => Promise.resolve() });
      },
    };
  }
}

describe('sweep', () => {
  it.each(SURFACES)('finds the best settings on %s within its budget', async (_, highest) => {
    const top = Math.max(...everySettings().map(highest));
    let [good, enclosed] = [0, 0];
    for (const seed of SEEDS) {
      const { result, server, running } = await swept({ highest }, seed);
      expect(result.failure).toBeNull();
      const { best } = result;
      const true_ = best === null ? 0 : highest(best.settings);
      good += Number(true_ >= 0.95 * top);
      enclosed += Number(best !== null && best.isConfirmed && best.rate.low <= true_ && true_ <= best.rate.high);
      expect(server.nowS).toBeLessThan(200 * 1.05);
      expect(result.candidates.length).toBeLessThan(everySettings().length / 3);
      expect(running()).toBe(0);
    }
    expect(good / SEEDS.length).toBeGreaterThan(0.9);
    expect(enclosed / SEEDS.length).toBeGreaterThan(0.95);
  });

  it('spends little on what is clearly behind', async () => {
    const { result } = await swept({ highest: ({ maxBatchSize }) => maxBatchSize * 50 }, 1);
    const behind = result.candidates.filter(({ state }) => state === 'given-up');
    expect(behind.length).toBeGreaterThan(3);
    expect(behind.every(({ trials }) => trials <= 5)).toBe(true);
    expect(result.found.slice(0, 2).map(({ settings }) => settings.maxBatchSize)).toEqual([64, 64]);
    expect(result.trials.length).toBe(result.candidates.reduce((sum, { trials }) => sum + trials, 0));
  });

  it('tells how much time is left', async () => {
    const told: SearchProgress[] = [];
    await swept({ highest: () => 3000 }, 1, { progress: (progress) => told.push(progress) });
    expect(told[0]).toEqual({ done: 0, share: 0, secondsLeft: 200, text: 'starting a server with b64-l2-t4' });
    expect(told.some(({ text }) => /^b64-l2-t4: \d+ requests per second$/.test(text))).toBe(true);
    const left = told.map(({ secondsLeft }) => secondsLeft);
    expect(left).toEqual([...left].sort((a, b) => b - a));
    expect(told.every(({ share }) => share >= 0 && share <= 1)).toBe(true);
  });

  it('says so when a lone request already takes longer than the goal', async () => {
    const sweeping = swept({ highest: () => 100, loneMs: 25.4321 }, 1);
    await expect(sweeping).rejects.toThrow('the goal of 20 ms is below what a lone request takes (25.4 ms)');
    await expect(sweeping).rejects.toMatchObject({ code: 'ERR_CONFIG_OPTION' });
  });

  it('has no best settings when none meets the goal', async () => {
    const { result } = await swept({ highest: () => 0 }, 1);
    expect(result).toMatchObject({ best: null, found: [], failure: null });
    expect(result.candidates.length).toBeGreaterThan(1);
  });

  it('goes on with other settings when a server dies', async () => {
    const highest: Surface = ({ maxBatchSize }) => maxBatchSize * 50;
    const server = new SimulatedServer({ highest }, 1);
    const { result } = await swept({ highest }, 1, {
      clock: server.clock,
      start: (settings) => {
        server.nowS += 1;
        if (settings.lanes > 2) return Promise.reject(new ServerDied('no memory'));
        const measure = (load: Parameters<SimulatedServer['measure']>[1]): Promise<ReturnType<SimulatedServer['measure']>> =>
          settings.maxBatchSize === 64 && load.rate !== null
            ? Promise.reject(new ServerDied('the measured server died while it was measured (SIGKILL)'))
            : Promise.resolve(server.measure(settings, load));
        return Promise.resolve({ measure, stop: () => Promise.resolve() });
      },
    });
    expect(result.best?.settings.maxBatchSize).toBe(32);
    expect(result.notes).toContain('b64-l2-t4: the measured server died while it was measured (SIGKILL)');
    expect(result.failure).toBeNull();
    const states = new Set(result.candidates.filter(({ settings }) => settings.lanes > 2).map(({ state }) => state));
    expect(states).toEqual(new Set(['died']));
  });

  it('measures requests for long enough that some are counted, however slow they are', async () => {
    const goal: LatencyGoal = { percentile: 99, latencyMs: 60_000 };
    const slow = new SlowServer(8000);
    const { result } = await swept({ highest: () => 1 }, 1, { ...slow.options, goal });
    expect(result.loneRequestMs).toBe(8000);
    expect(slow.loads.filter(({ inFlight }) => inFlight === 1).map(({ seconds }) => seconds)).toEqual([1, 4, 16]);
    const closed = slow.loads.filter(({ inFlight }) => inFlight !== null && inFlight > 1);
    expect(closed.length).toBeGreaterThan(0);
    expect(closed.every(({ seconds }) => seconds >= 40)).toBe(true);
  });

  it('says so when a lone request takes longer than the goal and than a short trial', async () => {
    const sweeping = swept({ highest: () => 1 }, 1, new SlowServer(8000).options);
    await expect(sweeping).rejects.toThrow('the goal of 20 ms is below what a lone request takes (more than 1 s)');
  });

  it('does not pass over in silence that lone requests are not answered', async () => {
    const server = new SimulatedServer({ highest: () => 3000 }, 1);
    const { result } = await swept({ highest: () => 3000 }, 1, {
      clock: server.clock,
      start: (settings) =>
        Promise.resolve({
          measure: (load) => {
            const trial = server.measure(settings, load);
            return Promise.resolve(load.inFlight === 1 ? { ...trial, result: resultOf([[10, 10]], 1) } : trial);
          },
          stop: () => Promise.resolve(),
        }),
    });
    expect(result.loneRequestMs).toBeNull();
    expect(result.notes.filter((note) => note.startsWith('lone requests got no right answer'))).toHaveLength(1);
  });

  it('has nothing but reasons when every server dies', async () => {
    const { result } = await swept({ highest: () => 1 }, 1, { start: () => Promise.reject(new ServerDied('no memory')) });
    expect(result).toMatchObject({ best: null, loneRequestMs: null, failure: null });
    expect(result.candidates.every(({ state }) => state === 'died')).toBe(true);
    expect(result.notes).toContain('b64-l2-t4: no memory');
  });

  it('keeps what there is when something else ends it', async () => {
    const full = new Error('ENOSPC: no space left on device, write');
    const server = new SimulatedServer({ highest: () => 3000 }, 1);
    let left = 30;
    let stopped = 0;
    const { result } = await swept({ highest: () => 3000 }, 1, {
      clock: server.clock,
      start: (settings) =>
        Promise.resolve({
          measure: (load) => (left-- > 0 ? Promise.resolve(server.measure(settings, load)) : Promise.reject(full)),
          stop: () => Promise.resolve(void stopped++),
        }),
    });
    expect(result.failure).toBe(full);
    expect(result.trials).toHaveLength(30);
    expect(result.best?.rate.value).toBeGreaterThan(2000);
    expect(stopped).toBeGreaterThanOrEqual(result.candidates.length);
  });
});

describe('sweepSpace', () => {
  it('goes in powers of two up to what the model and the machine have', () => {
    expect(sweepSpace({ ...limits, maxBatchSize: 48, rowsPerRequest: 4, cpus: 6 })).toEqual({
      maxBatchSize: [4, 8, 16, 32, 48],
      lanes: [1, 2, 4, 6],
      cpuThreads: [1, 2, 4, 6],
      maxQueueDelayUs: [null, 400, 2000],
      precisions: [],
    });
    expect(sweepSpace({ ...limits, maxBatchSize: 0, merges: false, cpus: 1 })).toEqual({
      maxBatchSize: [0],
      lanes: [1, 2],
      cpuThreads: [1],
      maxQueueDelayUs: [null],
      precisions: [],
    });
  });

  it('leaves batches as they are where requests do not share them', () => {
    const alone = sweepSpace({ ...limits, maxBatchSize: 48, merges: false, rowsPerRequest: 4, cpus: 2 });
    expect(alone).toMatchObject({ maxBatchSize: [48], maxQueueDelayUs: [null] });
  });

  it('begins with what the server does by itself, and far from it', () => {
    const points = startingPoints(space, first);
    expect(points[0]).toBe(first);
    expect(points).toContainEqual({ ...first, lanes: 4, cpuThreads: 1 });
  });

  it('steps to neighbours only, those of settings between its values included', () => {
    const steps = stepsFrom(space, { maxBatchSize: 60, lanes: 1, maxQueueDelayUs: null, cpuThreads: 4 }, 1);
    expect(steps).toContainEqual({ maxBatchSize: 32, lanes: 1, maxQueueDelayUs: null, cpuThreads: 4 });
    expect(steps).toContainEqual({ maxBatchSize: 60, lanes: 2, maxQueueDelayUs: null, cpuThreads: 2 });
    expect(steps).toContainEqual({ maxBatchSize: 60, lanes: 1, maxQueueDelayUs: 2000, cpuThreads: 4 });
    expect(steps.some(({ precision }) => precision !== undefined)).toBe(false);
    expect(steps.every(({ lanes, cpuThreads }) => lanes >= 1 && lanes <= 4 && cpuThreads >= 1 && cpuThreads <= 4)).toBe(true);
  });

  describe('with two precisions', () => {
    const chooses = sweepSpace({ ...limits, precisions: ['fp32', 'tf32'] });
    const fp32First: Partial<SweepOptions> = { space: chooses, first: { ...first, precision: 'fp32' } };

    it('goes on with the other one where a lone request misses the goal, and is refused where both do', async () => {
      const slow = { highest: () => 3000, loneMs: ({ precision }: ServerSettings) => (precision === 'tf32' ? 5 : 2 * GOAL.latencyMs) };
      const { result } = await swept(slow, 1, fp32First);
      expect(result.best?.settings.precision).toBe('tf32');
      expect(result.loneRequestMs).toBeCloseTo(5);
      expect(result.notes.join(' ')).toContain(`the goal of ${GOAL.latencyMs} ms is below what a lone request takes`);
      await expect(swept({ highest: () => 3000, loneMs: () => 2 * GOAL.latencyMs }, 1, fp32First)).rejects.toThrow(
        'below what a lone request takes',
      );
    });

    it('tries both before all else, however little time there is', async () => {
      const { result } = await swept({ highest: () => 3000 }, 1, { ...fp32First, budgetS: 40 });
      expect(result.candidates.slice(0, 2).map(({ settings }) => settings.precision)).toEqual(['fp32', 'tf32']);
    });

    it('finds the faster one, and what the other one does', async () => {
      const machine = { highest: ({ precision }: ServerSettings) => (precision === 'tf32' ? 3000 : 1500) };
      const { result } = await swept(machine, 1, fp32First);
      expect(result.best?.settings.precision).toBe('tf32');
      expect(new Set(result.candidates.map(({ settings }) => settings.precision))).toEqual(new Set(['fp32', 'tf32']));
    });
  });
});
