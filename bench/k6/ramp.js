/**
 * Where is the knee? The rate rises in steps until the goal is missed, which ends the run (code 99) with the last rate that held. Code 0:
 * every step held, so the knee lies above.
 */
import { LATENCY, prepare, send } from './model-under-load.js';
import { asDuration, count, durationMs, GRACEFUL_STOP, virtualUsers } from './settings.js';
import { summaryOf } from './summary.js';
import { ALWAYS, goalOf, TREND_STATISTICS } from './thresholds.js';

/** Of the first step, and what each further one adds; requests a second. */
const RATE = count('RATE', 50);
const STEP = count('STEP', RATE);
const STEPS = count('STEPS', 10);
/** Of a step. */
const DURATION_MS = durationMs('DURATION', '30s');

const steps = Array.from({ length: STEPS }, (_, index) => ({ rate: RATE + index * STEP, index }));
const nameOf = ({ rate }) => `rate_${rate}`;
const highest = steps[STEPS - 1].rate;

/** Of a step: judged as a whole, when it is over, for the first few answers have no p99. */
function thresholdsOfStep(step) {
  const delayAbortEval = asDuration((step.index + 1) * DURATION_MS);
  const wholeStep = ([metric, expressions]) => [metric, expressions.map((threshold) => ({ threshold, abortOnFail: true, delayAbortEval }))];
  return Object.fromEntries(Object.entries(goalOf(`scenario:${nameOf(step)}`)).map(wholeStep));
}

/** What ends the run in any step, kept apart by step so that it can be told which one has not held. */
const neverOf = (step) =>
  ['answers_wrong', 'connection_errors', 'dropped_iterations'].map((metric) => `${metric}{scenario:${nameOf(step)}}`);

const atOnce = ([metric, [threshold]]) => [metric, [{ threshold, abortOnFail: true }]];

export const options = {
  scenarios: Object.fromEntries(
    steps.map((step) => [
      nameOf(step),
      {
        executor: 'constant-arrival-rate',
        rate: step.rate,
        timeUnit: '1s',
        startTime: asDuration(step.index * DURATION_MS),
        duration: asDuration(DURATION_MS),
        gracefulStop: GRACEFUL_STOP,
        preAllocatedVUs: virtualUsers(step.rate),
      },
    ]),
  ),
  thresholds: Object.assign({}, Object.fromEntries(Object.entries(ALWAYS).map(atOnce)), ...steps.map(thresholdsOfStep), {
    ...Object.fromEntries(steps.flatMap((step) => neverOf(step).map((metric) => [metric, ALWAYS[metric.replace(/{.*/, '')]]))),
  }),
  summaryTrendStats: TREND_STATISTICS,
};

export const setup = () => prepare();

export default function ramp(model) {
  send(model, { rows: 1, kind: 'single' });
}

/** A step has held when all its requests were sent and answered within the goal. */
function hasHeld(step, metrics) {
  const tag = `scenario:${nameOf(step)}`;
  const { passes = 0, fails = 0 } = metrics[`answers_failed{${tag}}`].values;
  // k6 may begin one fewer than rate times time.
  if (passes + fails < (step.rate * DURATION_MS) / 1000 - 1) return false;
  const own = [`${LATENCY}{${tag}}`, `answers_failed{${tag}}`, ...neverOf(step)];
  return own.flatMap((metric) => Object.values(metrics[metric].thresholds)).every(({ ok }) => ok);
}

export function handleSummary(data) {
  const firstMiss = steps.findIndex((step) => !hasHeld(step, data.metrics));
  const lastHeld = firstMiss === -1 ? highest : (steps[firstMiss - 1]?.rate ?? 0);
  const line =
    lastHeld === 0 ? 'no rate held' : `the last rate that held: ${lastHeld}/s${firstMiss === -1 ? ', the highest that was tried' : ''}`;
  const settings = { rate: RATE, step: STEP, steps: STEPS, durationMs: DURATION_MS };
  return summaryOf(data, 'ramp', settings, { lines: [line], values: { lastRateHeld: lastHeld } });
}
