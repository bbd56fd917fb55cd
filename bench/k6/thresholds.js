/** When a run has failed (k6 ends with code 99). */
import { LATENCY } from './model-under-load.js';
import { ERROR_RATE, P95_MS, P99_MS } from './settings.js';

/** What no scenario puts up with: wrong answers, broken connections, requests that k6 could not send in time, no answers at all. */
export const ALWAYS = {
  answers_right: ['count>0'],
  answers_wrong: ['rate==0'],
  connection_errors: ['count==0'],
  dropped_iterations: ['count==0'],
};

/** The goal for all requests with a tag, such as `scenario:soak`. k6's own metrics hold setup's requests too, so there is always a tag. */
export const goalOf = (tag) => ({
  [`${LATENCY}{${tag}}`]: [`p(95)<${P95_MS}`, `p(99)<${P99_MS}`],
  [`answers_failed{${tag}}`]: [`rate<=${ERROR_RATE}`],
});

/** For `summaryTrendStats`: what the summary shows of a latency. */
export const TREND_STATISTICS = ['count', 'min', 'med', 'p(95)', 'p(99)', 'max'];
