/** Does the server answer this model at all, and rightly? A few single rows, each at its moment. */
import { prepare, send } from './model-under-load.js';
import { asDuration, count, durationMs, GRACEFUL_STOP, virtualUsers } from './settings.js';
import { summaryOf } from './summary.js';
import { ALWAYS, goalOf, TREND_STATISTICS } from './thresholds.js';

const RATE = count('RATE', 5);
const DURATION_MS = durationMs('DURATION', '10s');

export const options = {
  scenarios: {
    smoke: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: asDuration(DURATION_MS),
      gracefulStop: GRACEFUL_STOP,
      preAllocatedVUs: virtualUsers(RATE),
    },
  },
  thresholds: { ...ALWAYS, ...goalOf('scenario:smoke') },
  summaryTrendStats: TREND_STATISTICS,
};

export const setup = () => prepare();

export default function smoke(model) {
  send(model, { rows: 1, kind: 'single' });
}

export const handleSummary = (data) => summaryOf(data, 'smoke', { rate: RATE, durationMs: DURATION_MS });
