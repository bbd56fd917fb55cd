import type { Plan } from '../../../../src/planning/plan/plan.js';

const SETTINGS = { maxBatchSize: 16, lanes: 2, maxQueueDelayUs: null, cpuThreads: 1 };

/** A plan as a run on two cores makes it; figures are made up. */
export const EXAMPLE_PLAN: Plan = {
  format: 1,
  taken: '2026-11-21T12:00:00.000Z',
  versions: { penstock: '0.1.0', node: '20.20.0' },
  machine: { cpu: 'Example CPU', cores: 2, memory_bytes: 8_000_000_000, arch: 'x64', kernel: '6.1' },
  model: { name: 'digits', version: '2', inputShapes: { image: [1, 1, 8, 8] }, rowsPerRequest: 1 },
  goal: { percentile: 99, latencyMs: 20 },
  load: { rate: 2000, arrivals: 'poisson' },
  seed: 1,
  loneRequestMs: 0.4,
  isComplete: true,
  candidates: [
    { settings: SETTINGS, rate: { value: 1500, low: 1400, high: 1600 }, trials: 6, state: 'finished' },
    { settings: { ...SETTINGS, lanes: 1 }, rate: { value: 900, low: 0, high: 1000 }, trials: 2, state: 'given-up' },
  ],
  chosen: { settings: SETTINGS, rate: { value: 1500, low: 1400, high: 1600 }, trials: 6, state: 'finished' },
  curve: [
    { rateWanted: 750, rateAnswered: 750, p50Ms: 0.5, p90Ms: 0.8, p99Ms: 1.5, misses: 0 },
    { rateWanted: 1500, rateAnswered: 1499, p50Ms: 2, p90Ms: 6, p99Ms: 18, misses: 1 },
  ],
  knee: 1300,
  batches: [
    { rows: 1, runs: 100 },
    { rows: 2, runs: 50 },
  ],
  fitted: null,
  predictions: [{ settings: SETTINGS, measured: { value: 1500, low: 1400, high: 1600 }, predicted: 1480 }],
  replicas: { needed: 2, spare: 1, total: 3, headroom: 0.2, rateOfEach: 667, p99Ms: 2.5, p99WithoutSpareMs: 5.1, lostWithSpare: 3 },
  replicasByLoad: [
    { rate: 1000, replicas: 2, costPerHour: 0.2 },
    { rate: 2000, replicas: 3, costPerHour: 0.3 },
  ],
  autoscaling: {
    least: 3,
    most: 6,
    targetLaneBusy: 0.72,
    targetRate: 1120.7,
    delaySeconds: 90,
    ramp: { growthPerSecond: 0.004, p99Ms: 15.2, missShare: 0.002, isMet: true },
  },
  cost: { kind: '2 x cpu-core', currency: 'USD', perHour: 0.1, allPerHour: 0.3, perMillionRequests: 0.042 },
  notes: ['The load generator shared the cores with the server: a server that has them for itself does more.'],
};
