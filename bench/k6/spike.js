/**
 * Does the server live through a sudden crowd? The rate goes up SPIKE_FACTOR times within a second, stays there, and comes back. Until
 * the server has had RECOVERY to calm down it may refuse with 503 or UNAVAILABLE and say when to come back; wrong answers and broken
 * connections are never allowed, and before and after the goal holds without a refusal.
 */
import { prepare, send } from './model-under-load.js';
import { asDuration, count, durationMs, ERROR_RATE, GRACEFUL_STOP, virtualUsers } from './settings.js';
import { summaryOf } from './summary.js';
import { ALWAYS, goalOf, TREND_STATISTICS } from './thresholds.js';

const RATE = count('RATE', 50);
const SPIKE_FACTOR = count('SPIKE_FACTOR', 5);
/** Of each of the three phases: before, spike, after. */
const DURATION_MS = durationMs('DURATION', '1m');
const RECOVERY_MS = durationMs('RECOVERY', '10s');
/** Up, and down again. */
const EDGE_MS = 1000;

const PEAK_RATE = RATE * SPIKE_FACTOR;

const steady = (startMs, lengthMs, exec) => ({
  executor: 'constant-arrival-rate',
  rate: RATE,
  timeUnit: '1s',
  startTime: asDuration(startMs),
  duration: asDuration(lengthMs),
  gracefulStop: GRACEFUL_STOP,
  preAllocatedVUs: virtualUsers(RATE),
  exec,
});
const spikeMs = EDGE_MS + DURATION_MS + EDGE_MS;

export const options = {
  scenarios: {
    before: steady(0, DURATION_MS, 'calm'),
    spike: {
      executor: 'ramping-arrival-rate',
      startRate: RATE,
      timeUnit: '1s',
      startTime: asDuration(DURATION_MS),
      stages: [
        { target: PEAK_RATE, duration: asDuration(EDGE_MS) },
        { target: PEAK_RATE, duration: asDuration(DURATION_MS) },
        { target: RATE, duration: asDuration(EDGE_MS) },
      ],
      gracefulStop: GRACEFUL_STOP,
      preAllocatedVUs: virtualUsers(PEAK_RATE),
      exec: 'crowd',
    },
    recovery: steady(DURATION_MS + spikeMs, RECOVERY_MS, 'crowd'),
    after: steady(DURATION_MS + spikeMs + RECOVERY_MS, DURATION_MS, 'calm'),
  },
  thresholds: {
    ...ALWAYS,
    ...goalOf('scenario:before'),
    ...goalOf('scenario:after'),
    'answers_failed{scenario:spike}': [`rate<=${ERROR_RATE}`],
    'answers_failed{scenario:recovery}': [`rate<=${ERROR_RATE}`],
    // Always met: so that the summary has it.
    'answers_refused{scenario:spike}': ['rate<=1'],
  },
  summaryTrendStats: TREND_STATISTICS,
};

export const setup = () => prepare();

export function calm(model) {
  send(model, { rows: 1, kind: 'single' });
}

export function crowd(model) {
  send(model, { rows: 1, kind: 'single', mayRefuse: true });
}

export const handleSummary = (data) =>
  summaryOf(data, 'spike', { rate: RATE, spikeFactor: SPIKE_FACTOR, durationMs: DURATION_MS, recoveryMs: RECOVERY_MS });
