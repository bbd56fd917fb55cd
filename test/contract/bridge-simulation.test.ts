import { describe, expect, it } from 'vitest';
import { addon } from '../../src/bridge/addon.js';
import { simulate, type SimulationJob } from '../../src/bridge/simulation.js';
import { declaredFields } from '../support/declarations.js';
import { atMoments, simulationJob } from '../support/simulated-fleet.js';

/* Types are left behind on purpose: this is what the addon meets when a caller of it has a bug. */
const native = (...values: unknown[]): unknown => addon.simulate(...(values as [never, never]));
const changed = (change: object): (() => unknown) => {
  const job = { ...simulationJob(), ...change };
  return () => native(job, null);
};
const { arrivals, batching, frontEnd } = simulationJob();

const COMPLAINTS: readonly (readonly [string, () => unknown, string])[] = [
  ['nothing', () => native(), 'simulate: expected an object'],
  ['no seed', changed({ seed: undefined }), 'simulate.seed: expected a whole number'],
  ['no arrivals', changed({ arrivals: null }), 'simulate.arrivals: expected an object'],
  [
    'another kind of arrivals',
    changed({ arrivals: { ...arrivals, kind: 'often' } }),
    'simulate.arrivals.kind: expected "constant", "poisson", "gamma" or "trace"',
  ],
  ['an endless simulation', changed({ arrivals: { ...arrivals, lengthS: Infinity } }), 'simulate.arrivals.lengthS: expected a number from'],
  ['half a server', changed({ servers: 1.5 }), 'simulate.servers: expected a whole number'],
  ['an event that says nothing', changed({ events: [{ atS: 1, server: 0 }] }), 'simulate.events[0].isUp: expected true or false'],
  ['NaN for a time', changed({ frontEnd: { ...frontEnd, fixedMs: NaN } }), 'simulate.frontEnd.fixedMs: expected a number from'],
  ['times that are no numbers', changed({ runTimes: [{ rows: 1, quantilesMs: ['5'] }] }), 'simulate.runTimes[0].quantilesMs[0]: expected'],
  ['no slowdown at all', changed({ laneSlowdown: 1 }), 'simulate.laneSlowdown: expected an array'],
  ['a stop that is no array', () => native(simulationJob()), 'simulate.stop: expected an Int32Array with an element, or null'],
  ['a stop of bytes', () => native(simulationJob(), new Uint8Array(4)), 'simulate.stop: expected an Int32Array'],
  ['an empty stop', () => native(simulationJob(), new Int32Array(0)), 'simulate.stop: expected an Int32Array'],
];

const NONSENSE: readonly (readonly [string, Partial<SimulationJob>, string])[] = [
  ['no load', { arrivals: { ...arrivals, rate: 0 } }, 'simulate.arrivals.rate: expected more than 0'],
  ['moments that fall', { arrivals: atMoments(2, 1) }, 'simulate.arrivals.momentsS: expected moments that never fall'],
  ['more than an hour of work', { arrivals: { ...arrivals, rate: 1e9 } }, 'simulate.arrivals.rate: expected at most 50000000 requests'],
  ['a server that is none', { events: [{ atS: 0, server: 1, isUp: false }] }, 'simulate.events[0].server: expected a server'],
  ['a moment before the start', { arrivals: atMoments(-1, 1) }, 'simulate.arrivals.momentsS: expected moments of 0 to 11 days'],
  ['half a month', { arrivals: { ...arrivals, lengthS: 1.3e6 } }, 'simulate.arrivals.lengthS: expected a duration of 0 to 11 days'],
  ['more seconds than nanoseconds can count', { warmUpS: 1e200 }, 'simulate.warmUpS: expected a duration of 0 to 11 days'],
  ['no server', { servers: 0 }, 'simulate.servers: expected 1 to 20000, not 0'],
  ['no lane', { batching: { ...batching, lanes: 0 } }, 'simulate.batching.lanes: expected 1 to 1024, not 0'],
  ['a negative delay', { batching: { ...batching, maxQueueDelayUs: -1 } }, 'simulate.batching.maxQueueDelayUs: expected a duration'],
  ['no rows', { runTimes: [{ rows: 0, quantilesMs: [5] }] }, 'simulate.runTimes[0].rows: expected rising numbers'],
  ['a run that ends before it starts', { runTimes: [{ rows: 1, quantilesMs: [-5] }] }, 'simulate.runTimes[0].quantilesMs: expected times'],
  ['a goal below 0', { goalMs: -1 }, 'simulate.goalMs: expected a duration of 0 to 11 days'],
  ['no run times', { runTimes: [] }, 'simulate.runTimes: expected at least one size of batch'],
];

describe('simulate', () => {
  it('fills the record that the bridge declares', () => {
    const result = simulate(simulationJob());
    expect(Object.keys(result)).toEqual(declaredFields('SimulationResult'));
    expect(Object.keys(result.latencyMs)).toEqual(['p50', 'p90', 'p95', 'p99', 'p999']);
  });

  it('counts in the units of the bridge', () => {
    const result = simulate(
      simulationJob({
        arrivals: atMoments(0, 0, 1000, 1000, 1000, 2000),
        events: [{ atS: 2.004, server: 0, isUp: false }],
        frontEnd: { threads: 4, perRequestMs: 1, fixedMs: 0.5 },
        goalMs: 7,
        warmUpS: 0.5,
      }),
    );
    expect(result).toMatchObject({ requests: 4, answered: 3, late: 2, refused: 0, lost: 1, batches: [{ rows: 1, runs: 4 }] });
    expect(result.latencyMs.p50).toBeCloseTo(11.5, 1);
    expect(result.latencyMs.p99).toBeNull();
    expect(result.maxAnsweredMs).toBeCloseTo(16.5, 6);
    expect(result.laneBusy).toBeGreaterThan(0);
  });

  it('ends when it is told to', () => {
    const stop = new Int32Array(new SharedArrayBuffer(4));
    expect(simulate(simulationJob(), stop).requests).toBeGreaterThan(0);
    Atomics.store(stop, 0, 1);
    expect(() => simulate(simulationJob(), stop)).toThrow(expect.objectContaining({ code: 'ERR_REQUEST_CANCELLED' }));
  });

  it('gives no latency where nothing came', () => {
    const { requests, latencyMs, maxAnsweredMs } = simulate(simulationJob({ arrivals: atMoments() }));
    expect({ requests, p50: latencyMs.p50, maxAnsweredMs }).toEqual({ requests: 0, p50: null, maxAnsweredMs: 0 });
  });

  it.each(COMPLAINTS)('refuses %s', (_what, call, complaint) => {
    expect(call).toThrow(complaint);
    expect(call).toThrow(expect.objectContaining({ status: 501 }));
  });

  it.each(NONSENSE)('names the option that makes no sense: %s', (_what, change, complaint) => {
    const call = (): unknown => simulate(simulationJob(change));
    expect(call).toThrow(complaint);
    expect(call).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_OPTION' }));
  });

  it('passes on what a getter throws', () => {
    const boom = (): never => {
      throw new Error('a getter threw');
    };
    expect(() => native(Object.defineProperty({ ...simulationJob() }, 'laneSlowdown', { get: boom }), null)).toThrow('a getter threw');
  });
});
