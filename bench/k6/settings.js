/**
 * The settings that every scenario takes, by k6's `-e NAME=VALUE`. What cannot be meant ends the run before it starts: code 108, and a
 * message that names the setting. bench/README.md lists them.
 */
import exec from 'k6/execution';

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** As k6 and Go write it: 30s, 1m30s, 1.5h. */
const DURATION_FORM = /^(\d+(\.\d+)?(ms|s|m|h))+$/;

/** `parse` gives undefined for what is not a value; `takes` says what is. */
function setting(name, fallback, takes, parse) {
  const text = __ENV[name] || fallback;
  const value = parse(text);
  if (value === undefined) exec.test.abort(`${name} is "${text}", but it takes ${takes}`);
  return value;
}

export const text = (name, fallback) => setting(name, fallback, 'a text', (given) => given);

export const choice = (name, choices) =>
  setting(name, choices[0], choices.join(' or '), (given) => (choices.includes(given) ? given : undefined));

const numberWhere = (name, fallback, takes, isFit) =>
  setting(name, String(fallback), takes, (given) => {
    const value = /^\d+(\.\d+)?$/.test(given) ? Number(given) : undefined;
    return value !== undefined && isFit(value) ? value : undefined;
  });

/** Whole, from 1. */
export const count = (name, fallback) =>
  numberWhere(name, fallback, 'a whole number from 1', (value) => value >= 1 && Number.isInteger(value));

export const positive = (name, fallback) => numberWhere(name, fallback, 'a number above 0', (value) => value > 0);

/** 0 to 1. */
export const share = (name, fallback) => numberWhere(name, fallback, 'a share from 0 to 1', (value) => value <= 1);

/** Milliseconds, 1 s at least: k6 looks at thresholds every two seconds. */
export const durationMs = (name, fallback) =>
  setting(name, fallback, 'a duration of 1 s or more, such as 30s or 1h', (given) => {
    if (!DURATION_FORM.test(given)) return undefined;
    const parts = given.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g);
    const ms = [...parts].reduce((sum, [, amount, unit]) => sum + Number(amount) * MS[unit], 0);
    return ms >= 1000 ? ms : undefined;
  });

export const asDuration = (ms) => `${ms}ms`;

export const PROTOCOL = choice('PROTOCOL', ['http', 'grpc']);

/** HTTP: an address with its scheme. gRPC: HOST:PORT, without TLS. */
export const BASE_URL =
  PROTOCOL === 'http'
    ? setting('BASE_URL', 'http://localhost:8000', 'http://HOST:PORT when PROTOCOL is http', (given) =>
        /^https?:\/\/[^/]/.test(given) ? given.replace(/\/+$/, '') : undefined,
      )
    : setting('BASE_URL', 'localhost:8001', 'HOST:PORT when PROTOCOL is grpc', (given) => (/^[^/]+:\d+$/.test(given) ? given : undefined));

export const MODEL = text('MODEL', 'digits');

/** How long a request may take at most, and how long k6 waits for those that are under way when their scenario is over. */
export const REQUEST_TIMEOUT = '10s';
export const GRACEFUL_STOP = '11s';

/** The latency goal in milliseconds, and the share of answers that may fail. */
export const P95_MS = positive('P95_MS', 100);
export const P99_MS = positive('P99_MS', 250);
export const ERROR_RATE = share('ERROR_RATE', 0.001);

/**
 * How many requests may wait for their answer at once. All are made before the run, for k6 drops the iteration for which it has to make
 * another. By default as many as come in half a second at `peakRate`.
 */
export const virtualUsers = (peakRate) => count('VUS', Math.max(20, Math.ceil(peakRate / 2)));
