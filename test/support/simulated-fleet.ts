import type { SimulationJob } from '../../src/bridge/simulation.js';

/** One server that takes 5 ms for each request, alone, under half of its load for ten seconds, but for the changes. */
export function simulationJob(change: Partial<SimulationJob> = {}): SimulationJob {
  return {
    seed: 1,
    arrivals: { kind: 'poisson', rate: 100, shape: 1, momentsS: [], lengthS: 10 },
    rowsPerRequest: 1,
    warmUpS: 0,
    servers: 1,
    events: [],
    batching: { maxBatchRows: 1, lanes: 1, maxQueueDelayUs: 0, latencyGoalMs: 0 },
    frontEnd: { threads: 1, perRequestMs: 0, fixedMs: 0 },
    runTimes: [{ rows: 1, quantilesMs: [5] }],
    laneSlowdown: [1],
    runsAtOnce: 1,
    asideMs: 0,
    goalMs: 0,
    ...change,
  };
}

/** Requests at these moments, in milliseconds. */
export function atMoments(...ms: number[]): SimulationJob['arrivals'] {
  return { kind: 'trace', rate: 0, shape: 0, momentsS: ms.map((each) => each / 1000), lengthS: 1000 };
}
