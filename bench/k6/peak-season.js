/**
 * The mix of a busy day at a constant rate: of ten requests seven are single rows, two ask for every output as JSON, and one is a batch of
 * 10 to 50 rows. Kinds and sizes follow from the number of the request, so every run has the same. The goal holds for each kind by itself.
 */
import exec from 'k6/execution';
import { prepare, send } from './model-under-load.js';
import { asDuration, count, durationMs, GRACEFUL_STOP, virtualUsers } from './settings.js';
import { summaryOf } from './summary.js';
import { ALWAYS, goalOf, TREND_STATISTICS } from './thresholds.js';

const RATE = count('RATE', 100);
const DURATION_MS = durationMs('DURATION', '5m');
const SMALLEST_BATCH = 10;
const LARGEST_BATCH = 50;
const SIZES = LARGEST_BATCH - SMALLEST_BATCH + 1;
/** Without a common divisor with SIZES, so that each size has its turn, small and large ones mixed. */
const STRIDE = 17;
const OF_TEN = ['single', 'single', 'json', 'single', 'single', 'batch', 'single', 'json', 'single', 'single'];

export const options = {
  scenarios: {
    peak_season: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: asDuration(DURATION_MS),
      gracefulStop: GRACEFUL_STOP,
      preAllocatedVUs: virtualUsers(RATE),
    },
  },
  thresholds: Object.assign({}, ALWAYS, ...['single', 'json', 'batch'].map((kind) => goalOf(`scenario:peak_season,kind:${kind}`))),
  summaryTrendStats: TREND_STATISTICS,
};

export const setup = () =>
  prepare([
    { rows: 1, kind: 'single' },
    { rows: 1, kind: 'json' },
    { rows: LARGEST_BATCH, kind: 'batch' },
  ]);

export default function peakSeason(model) {
  const number = exec.scenario.iterationInTest;
  const kind = OF_TEN[number % OF_TEN.length];
  const rows = kind === 'batch' ? SMALLEST_BATCH + ((Math.floor(number / OF_TEN.length) * STRIDE) % SIZES) : 1;
  send(model, { rows, kind });
}

export const handleSummary = (data) => summaryOf(data, 'peak-season', { rate: RATE, durationMs: DURATION_MS });
