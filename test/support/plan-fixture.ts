/** Plans as a measurement on two cores could have made them: a whole one, and some that lack what a measurement may fail to give. */
import type { Estimate } from '../../src/planning/estimate.js';
import type { Plan, PlanCandidate } from '../../src/planning/plan/plan.js';
import type { ServerSettings } from '../../src/planning/server-settings.js';

const settings = (maxBatchSize: number, lanes: number, cpuThreads: number, maxQueueDelayUs: number | null = null): ServerSettings => ({
  maxBatchSize,
  lanes,
  cpuThreads,
  maxQueueDelayUs,
});
const estimate = (value: number, share = 0.03): Estimate => ({ value, low: value * (1 - share), high: value * (1 + share) });
const finished = (of: ServerSettings, value: number): PlanCandidate => ({
  settings: of,
  rate: estimate(value),
  trials: 7,
  state: 'finished',
});
const givenUp = (of: ServerSettings, value: number): PlanCandidate => ({
  settings: of,
  rate: estimate(value, 0.2),
  trials: 2,
  state: 'given-up',
});

const best = finished(settings(16, 2, 1), 1184);

export const WHOLE_PLAN: Plan = {
  format: 1,
  taken: '2026-11-21T18:45:12.000Z',
  versions: { penstock: '0.1.0', node: '20.20.2', onnxruntime: '1.29.0' },
  machine: { cpu: 'AMD EPYC 9B14', cores: 2, memory_bytes: 8_323_457_024, arch: 'x64', kernel: '6.1.0-28-cloud-amd64' },
  model: { name: 'digits', version: '2', inputShapes: { image: [1, 1, 28, 28] }, rowsPerRequest: 1 },
  goal: { percentile: 99, latencyMs: 20 },
  load: { rate: 5000, arrivals: 'poisson' },
  seed: 1,
  loneRequestMs: 0.914,
  isComplete: true,
  candidates: [
    givenUp(settings(1, 1, 1), 402),
    givenUp(settings(1, 2, 1), 611),
    finished(settings(4, 1, 1), 748),
    finished(settings(4, 2, 1), 962),
    givenUp(settings(4, 4, 1), 540),
    finished(settings(8, 1, 1), 871),
    finished(settings(8, 1, 2), 902),
    finished(settings(8, 2, 1), 1107),
    finished(settings(8, 4, 1), 955),
    finished(settings(16, 1, 2), 1021),
    best,
    finished(settings(16, 2, 1, 500), 1163),
    finished(settings(16, 4, 1), 1012),
    finished(settings(32, 1, 2), 1043),
    finished(settings(32, 2, 1), 1171),
    givenUp(settings(32, 4, 1), 720),
  ],
  chosen: best,
  curve: [
    { rateWanted: 118, rateAnswered: 118, p50Ms: 1.02, p90Ms: 1.51, p99Ms: 2.64, misses: 0 },
    { rateWanted: 296, rateAnswered: 296, p50Ms: 1.21, p90Ms: 2.05, p99Ms: 3.51, misses: 0 },
    { rateWanted: 592, rateAnswered: 592, p50Ms: 1.74, p90Ms: 3.12, p99Ms: 5.43, misses: 0 },
    { rateWanted: 888, rateAnswered: 888, p50Ms: 2.92, p90Ms: 5.51, p99Ms: 9.27, misses: 1 },
    { rateWanted: 1066, rateAnswered: 1066, p50Ms: 4.71, p90Ms: 8.92, p99Ms: 14.4, misses: 3 },
    { rateWanted: 1184, rateAnswered: 1183, p50Ms: 6.83, p90Ms: 13.1, p99Ms: 19.6, misses: 9 },
    { rateWanted: 1302, rateAnswered: 1297, p50Ms: 21.4, p90Ms: 47.2, p99Ms: 88.1, misses: 61 },
    { rateWanted: 1480, rateAnswered: 1322, p50Ms: 241, p90Ms: 404, p99Ms: null, misses: 1893 },
  ],
  knee: 1092,
  batches: [3, 11, 24, 41, 62, 88, 97, 102, 86, 71, 49, 33, 19, 12, 7, 58].map((share, i) => ({ rows: i + 1, runs: share * 13 })),
  fitted: {
    runTimes: [
      { rows: 1, quantilesMs: [0.61, 0.68, 0.72, 0.81, 1.9] },
      { rows: 4, quantilesMs: [1.4, 1.62, 1.75, 1.98, 3.4] },
      { rows: 16, quantilesMs: [4.9, 5.6, 6.1, 6.9, 9.8] },
    ],
    laneSlowdown: [1, 1.31],
    gpu: null,
    contention: 0.4,
    frontEnd: { threads: 1, perRequestMs: 0.061, fixedMs: 0.18 },
    residuals: [
      { rows: 1, relative: 0.021 },
      { rows: 1, relative: -0.034 },
      { rows: 4, relative: 0.012 },
      { rows: 16, relative: -0.008 },
      { rows: 16, relative: 0.027 },
    ],
  },
  predictions: [
    [settings(4, 1, 1), 748, 731],
    [settings(4, 2, 1), 962, 981],
    [settings(8, 1, 1), 871, 884],
    [settings(8, 1, 2), 902, 868],
    [settings(8, 2, 1), 1107, 1089],
    [settings(8, 4, 1), 955, 1031],
    [settings(16, 1, 2), 1021, 1002],
    [settings(16, 2, 1), 1184, 1203],
    [settings(16, 2, 1, 500), 1163, 1147],
    [settings(16, 4, 1), 1012, 1040],
    [settings(32, 1, 2), 1043, 1019],
    [settings(32, 2, 1), 1171, 1182],
  ].map(([of, measured, predicted]) => ({
    settings: of as ServerSettings,
    measured: estimate(measured as number),
    predicted: predicted as number,
  })),
  replicas: { needed: 6, spare: 1, total: 7, headroom: 0.2, rateOfEach: 714, p99Ms: 6.91, p99WithoutSpareMs: 8.64, lostWithSpare: 3 },
  // Where one more is needed, up to four times the load.
  replicasByLoad: Array.from({ length: 21 }, (_, i) => ({ rate: (i + 1) * 918, replicas: i + 2, costPerHour: (i + 2) * 0.096 })),
  autoscaling: {
    least: 2,
    most: 11,
    targetLaneBusy: 0.68,
    targetRate: 918,
    delaySeconds: 60,
    ramp: { growthPerSecond: 0.004, p99Ms: 15.2, missShare: 0.002, isMet: true },
  },
  cost: { kind: 'cpu-2', currency: 'EUR', perHour: 0.096, allPerHour: 0.672, perMillionRequests: 0.0373 },
  notes: [
    'The load generator shared the two cores with the server: a machine of its own would measure higher rates.',
    '10 of 48 possible settings were given up early, when they were clearly behind.',
  ],
};

/** A goal below what a lone request takes: everything that follows from a choice is missing. */
export const HOPELESS_PLAN: Plan = {
  ...WHOLE_PLAN,
  goal: { percentile: 99, latencyMs: 0.5 },
  candidates: [],
  chosen: null,
  curve: [],
  knee: null,
  batches: [],
  fitted: null,
  predictions: [],
  replicas: null,
  replicasByLoad: [],
  autoscaling: null,
  cost: null,
  notes: [],
};

/** Stopped before anything was measured. */
export const EMPTY_PLAN: Plan = { ...HOPELESS_PLAN, goal: WHOLE_PLAN.goal, loneRequestMs: null, isComplete: false };

/** Stopped within the search: a lone request and the beginning of one cell. */
export const STOPPED_PLAN: Plan = {
  ...EMPTY_PLAN,
  loneRequestMs: 0.914,
  candidates: [{ settings: settings(16, 2, 1), rate: { value: 400, low: 0, high: 800 }, trials: 1, state: 'unfinished' }],
};

/** The time ran out early: one cell, one point of the curve, one batch size. */
export const SHORT_PLAN: Plan = {
  ...WHOLE_PLAN,
  candidates: [best],
  curve: WHOLE_PLAN.curve.slice(0, 1),
  knee: null,
  batches: [{ rows: 1, runs: 5120 }],
  predictions: [],
  replicas: { needed: 1, spare: 0, total: 1, headroom: 0, rateOfEach: 50, p99Ms: null, p99WithoutSpareMs: null, lostWithSpare: 3 },
  load: { rate: 50, arrivals: 'gamma:0.25' },
  replicasByLoad: [{ rate: 50, replicas: 1, costPerHour: null }],
  autoscaling: null,
  cost: null,
};

/** Numbers as large and texts as long as they come. */
export const LARGE_PLAN: Plan = {
  ...WHOLE_PLAN,
  model: {
    name: 'recommendation-ranking-two-tower-large-multilingual-embeddings-quantised-fp16',
    version: '20261121',
    inputShapes: { input_ids: [8, 512], attention_mask: [8, 512], token_type_ids: [8, 512] },
    rowsPerRequest: 8,
  },
  goal: { percentile: 99.9, latencyMs: 250 },
  load: { rate: 1_250_000, arrivals: 'trace:/var/lib/penstock/traces/peak-season-2025-week-48.txt' },
  candidates: [1, 2, 4, 8, 16, 32, 64, 128].flatMap((rows, i) =>
    [1, 2, 3, 4, 6, 8].map((lanes, j) => finished(settings(rows, lanes, 1), 9000 + 2100 * i + 700 * j)),
  ),
  chosen: finished(settings(128, 8, 1), 27_200),
  curve: WHOLE_PLAN.curve.map((point) => ({ ...point, rateWanted: point.rateWanted * 23, rateAnswered: point.rateAnswered * 23 })),
  knee: 25_100,
  batches: Array.from({ length: 128 }, (_, i) => ({ rows: i + 1, runs: 1 + ((i * 7919) % 977) })),
  predictions: WHOLE_PLAN.predictions.map(({ measured, predicted, ...rest }) => ({
    ...rest,
    measured: { value: measured.value * 23, low: measured.low * 22, high: measured.high * 24 },
    predicted: predicted * 23,
  })),
  replicas: { needed: 60, spare: 3, total: 63, headroom: 0.2, rateOfEach: 19_841, p99Ms: 181, p99WithoutSpareMs: 190, lostWithSpare: 3 },
  replicasByLoad: Array.from({ length: 60 }, (_, i) => ({
    rate: (i + 1) * 4 * 21_000,
    replicas: (i + 1) * 4 + 3,
    costPerHour: ((i + 1) * 4 + 3) * 41,
  })),
  cost: { kind: 'NVIDIA H100 80GB HBM3 SXM', currency: 'USD', perHour: 41, allPerHour: 2583, perMillionRequests: 0.574 },
};
