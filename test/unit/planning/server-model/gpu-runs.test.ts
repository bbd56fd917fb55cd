import { describe, expect, it } from 'vitest';
import { fitServer } from '../../../../src/planning/server-model/fit-server.js';
import type { FittedServer } from '../../../../src/planning/server-model/fitted-server.js';
import { paddedRows, runTimesFor } from '../../../../src/planning/server-model/gpu-runs.js';
import { capacityOf, simulationJob } from '../../../../src/planning/server-model/simulation-job.js';
import { FIXED_MS, ONE_LANE, PER_REQUEST_MS, steadyServer, trialOf, type KnownTrial } from './known-server.js';

const CPUS = 4;
const TWO_LANES = { ...ONE_LANE, lanes: 2 };
const msOf = (rows: number): number => 2 + 0.5 * paddedRows(rows, ONE_LANE.maxBatchSize);
const runsOf = (sizes: readonly number[], times = 1) => sizes.map((rows) => ({ rows, runs: 500, ms: times * msOf(rows) }));
const onGpu = (trial: KnownTrial) => trialOf({ gpus: 1, ...trial });
const lone = onGpu({ inFlight: 1, runs: [{ rows: 1, runs: 4000, ms: msOf(1) }] });
const alone = onGpu({ runs: runsOf([1, 2, 3, 4, 5, 16]) });

const medianAt = (server: FittedServer, size: number, maxBatchSize = 16): number =>
  runTimesFor(server, { ...ONE_LANE, maxBatchSize }).find(({ rows }) => rows >= size)?.quantilesMs[50] ?? 0;

/** Two lanes that wait for their turns all the time; of each run so much is beside its turn. */
function saturated(asideMs: number) {
  const turnMs = msOf(16) - asideMs;
  return onGpu({ settings: TWO_LANES, inFlight: 64, rate: (16 * 1e3) / turnMs, runs: [{ rows: 16, runs: 500, ms: 2 * turnMs }] });
}

describe('rows of a run on a GPU', () => {
  it.each([
    [1, 16, 1],
    [3, 16, 4],
    [4, 16, 4],
    [33, 64, 64],
    [5, 6, 6],
    [3, 3, 3],
    [7, 0, 7],
  ])('%d of %d at most are padded to %d', (rows, most, padded) => {
    expect(paddedRows(rows, most)).toBe(padded);
  });
});

describe('a fitted server with a GPU', () => {
  it('takes as long for rows that it has not seen as for those that they are padded to', () => {
    const fitted = fitServer([lone, alone], CPUS);
    for (const rows of [1, 2, 3, 4, 5, 8, 9, 11, 16]) expect(medianAt(fitted, rows) / msOf(rows)).toBeCloseTo(1, 2);
    // The largest batch may be between two powers.
    expect(medianAt(fitted, 5, 6) / (2 + 0.5 * 6)).toBeCloseTo(1, 2);
  });

  it('has no steps on the CPU', () => {
    const fitted = fitServer(
      [trialOf({ inFlight: 1, runs: [{ rows: 1, runs: 4000, ms: 2.5 }] }), trialOf({ runs: runsOf([1, 4, 16]) })],
      CPUS,
    );
    expect(fitted.gpu).toBeNull();
    expect(runTimesFor(fitted, ONE_LANE)).toBe(fitted.runTimes);
  });

  it('leaves the waits of further lanes out of the time of a run', () => {
    const fitted = fitServer([lone, alone, onGpu({ settings: TWO_LANES, rate: 1e6, runs: runsOf([1, 2, 4, 16], 2) })], CPUS);
    for (const rows of [1, 4, 16]) expect(medianAt(fitted, rows) / msOf(rows)).toBeCloseTo(1, 2);
    expect(fitted.gpu).toEqual({ count: 1, asideMs: 0 });
  });

  it('learns from lanes that take turns all the time what of a run is beside its turn', () => {
    for (const asideMs of [0, 0.3, 1]) {
      expect(fitServer([lone, alone, saturated(asideMs)], CPUS).gpu?.asideMs).toBeCloseTo(asideMs, 1);
    }
    const unhurried = onGpu({ settings: TWO_LANES, inFlight: 2, rate: 100, runs: runsOf([1]) });
    expect(fitServer([lone, alone, unhurried], CPUS).gpu?.asideMs).toBe(0);
  });

  it('has only lanes that wait to learn from, where no other ran under load: its runs are not taken for shorter than they are', () => {
    const fitted = fitServer([lone, saturated(0)], CPUS);
    expect(medianAt(fitted, 16)).toBeGreaterThanOrEqual(0.99 * msOf(16));
    expect(fitted.gpu?.asideMs).toBe(0);
  });

  it('has what scatters around a lone run on top of every run, in milliseconds', () => {
    const spread = { p90: 1.1, p95: 1.1, p99: 1.1, p999: 1.1 };
    const fitted = fitServer([onGpu({ inFlight: 1, spread, runs: [{ rows: 1, runs: 4000, ms: msOf(1) }] }), alone], CPUS);
    const [least = 0, most = 0] = [0, 100].map((i) => runTimesFor(fitted, ONE_LANE).at(-1)?.quantilesMs[i]);
    expect(most - least).toBeCloseTo(0.1 * (msOf(1) + PER_REQUEST_MS + FIXED_MS), 1);
  });

  it('is not fitted to trials of other devices', () => {
    expect(() => fitServer([lone, trialOf({ runs: runsOf([1, 4]) })], CPUS)).toThrow(/the trials ran on 1, 0 GPUs/);
  });
});

describe('lanes of a fitted server', () => {
  it('that had one request between them say nothing of how they slow each other down', () => {
    const loneOfTwo = trialOf({ settings: TWO_LANES, inFlight: 1, rate: 500, runs: [{ rows: 1, runs: 4000, ms: 2 }] });
    const one = trialOf({ rate: 100, runs: [{ rows: 1, runs: 1000, ms: 2 }] });
    const both = trialOf({ settings: TWO_LANES, rate: 1e6, runs: [{ rows: 1, runs: 1000, ms: 3.2 }] });
    expect(fitServer([loneOfTwo, one, both], CPUS).laneSlowdown[1]).toBeCloseTo(1.6, 2);
  });

  it('take turns on a GPU, in the simulation and in what they do at most', () => {
    const server: FittedServer = { ...steadyServer((rows) => rows + 1, [1, 16, 32]), gpu: { count: 1, asideMs: 1 } };
    const load = { arrivals: 'poisson', rowsPerRequest: 1, seed: 1, rate: 100, requests: 1000, servers: 1, goalMs: 0 };
    expect(simulationJob(server, TWO_LANES, load)).toMatchObject({ runsAtOnce: 1, asideMs: 1, laneSlowdown: [1, 1] });
    expect(capacityOf(server, ONE_LANE, 1)).toBeCloseTo(16e3 / 17, 6);
    expect(capacityOf(server, TWO_LANES, 1)).toBeCloseTo(1e3, 6);
    expect(simulationJob({ ...server, gpu: { count: 2, asideMs: 0 } }, TWO_LANES, load).batching.lanes).toBe(4);
    expect(simulationJob({ ...server, gpu: null }, TWO_LANES, load)).toMatchObject({ runsAtOnce: 2, asideMs: 0, laneSlowdown: [1, 2] });
  });
});
