/**
 * Does the server hold out? A constant rate for a long time, with an eye on the server's resident memory: what it has after WARM_UP may grow
 * by MEMORY_GROWTH (a share of it) until the end, and the goal holds over the whole time.
 */
import exec from 'k6/execution';
import { Counter, Gauge } from 'k6/metrics';
import { prepare, send } from './model-under-load.js';
import { residentMemory } from './resident-memory.js';
import { asDuration, count, durationMs, GRACEFUL_STOP, share, virtualUsers } from './settings.js';
import { summaryOf } from './summary.js';
import { ALWAYS, goalOf, TREND_STATISTICS } from './thresholds.js';

const RATE = count('RATE', 50);
const DURATION_MS = durationMs('DURATION', '1h');
const WARM_UP_MS = durationMs('WARM_UP', asDuration(Math.max(1000, DURATION_MS / 10)));
const MEMORY_GROWTH = share('MEMORY_GROWTH', 0.1);
if (WARM_UP_MS >= DURATION_MS) exec.test.abort(`WARM_UP is not shorter than DURATION: ${WARM_UP_MS} and ${DURATION_MS} ms`);

/** Besides the one after warm-up; fewer where they would come more often than once a second. */
const READINGS = 20;
const INTERVAL_MS = Math.max(1000, Math.ceil((DURATION_MS - WARM_UP_MS) / READINGS));

/** A reading that takes long makes the next one drop out, which says nothing about the load. */
const { dropped_iterations: droppedIterations, ...always } = ALWAYS;

/** In the summary: the last value, the least and the most. */
const residentBytes = new Gauge('resident_bytes');
const residentGrowth = new Gauge('resident_growth');
const readings = new Counter('resident_readings');
const failures = new Counter('resident_unreadable');

export const options = {
  scenarios: {
    soak: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: asDuration(DURATION_MS),
      gracefulStop: GRACEFUL_STOP,
      preAllocatedVUs: virtualUsers(RATE),
    },
    // One virtual user, which remembers the first reading. The last one comes when the load has ended.
    watch: {
      executor: 'constant-arrival-rate',
      rate: 1,
      timeUnit: asDuration(INTERVAL_MS),
      startTime: asDuration(WARM_UP_MS),
      duration: asDuration(DURATION_MS - WARM_UP_MS + INTERVAL_MS),
      gracefulStop: GRACEFUL_STOP,
      preAllocatedVUs: 1,
      exec: 'watch',
    },
  },
  thresholds: {
    ...always,
    'dropped_iterations{scenario:soak}': droppedIterations,
    ...goalOf('scenario:soak'),
    resident_growth: [`value<=${MEMORY_GROWTH}`],
    resident_readings: ['count>1'],
    resident_unreadable: ['count==0'],
  },
  summaryTrendStats: TREND_STATISTICS,
};

export function setup() {
  const { bytes, problem } = residentMemory();
  if (problem !== undefined) exec.test.abort(`the server's memory cannot be watched: ${problem}`);
  residentBytes.add(bytes);
  return prepare();
}

export default function soak(model) {
  send(model, { rows: 1, kind: 'single' });
}

let warmBytes;

export function watch() {
  const { bytes, problem } = residentMemory();
  if (problem !== undefined) {
    failures.add(1);
    console.error(problem);
    return;
  }
  warmBytes ??= bytes;
  readings.add(1);
  residentBytes.add(bytes);
  residentGrowth.add((bytes - warmBytes) / warmBytes);
}

export const handleSummary = (data) =>
  summaryOf(data, 'soak', { rate: RATE, durationMs: DURATION_MS, warmUpMs: WARM_UP_MS, memoryGrowth: MEMORY_GROWTH });
