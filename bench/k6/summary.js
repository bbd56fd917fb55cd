/** The end of a run: each threshold with what was found, and with `-e SUMMARY=FILE` all figures as JSON. */
import { BASE_URL, ERROR_RATE, MODEL, P95_MS, P99_MS, PROTOCOL, text } from './settings.js';

const FILE = text('SUMMARY', '');

const rounded = (value) => (value === null ? 'no samples' : String(Number(value.toPrecision(4))));

/** k6 takes the thresholds of a metric without samples for met, which would read as a success. */
const isEmpty = ({ type, values }) => (type === 'trend' ? values.count === 0 : type === 'rate' && values.passes + values.fails === 0);

/** One entry for each expression: `{metric, expression, value, isMet}`. `value` is null where there was nothing to judge. */
export function thresholdsOf({ metrics }) {
  return Object.entries(metrics)
    .sort(([first], [second]) => (first < second ? -1 : 1))
    .flatMap(([name, metric]) =>
      Object.entries(metric.thresholds || {}).map(([expression, { ok }]) => {
        const [statistic] = expression.split(/[<>=]/);
        return { metric: name, expression, value: isEmpty(metric) ? null : metric.values[statistic], isMet: ok };
      }),
    );
}

/** For k6's `handleSummary`. `settings`: those of this scenario alone; `findings`: further lines for people, and their values as JSON. */
export function summaryOf(data, scenario, settings, findings = { lines: [], values: {} }) {
  const thresholds = thresholdsOf(data);
  const width = Math.max(...thresholds.map(({ metric }) => metric.length));
  const lines = thresholds.map(({ metric, expression, value, isMet }) =>
    [value === null ? '-     ' : isMet ? 'met   ' : 'MISSED', metric.padEnd(width), expression.padEnd(14), rounded(value)].join(' '),
  );
  const out = { stdout: `\n${[`${scenario} of ${MODEL} over ${PROTOCOL}`, ...lines, ...findings.lines].join('\n')}\n` };
  if (FILE !== '') {
    const common = { protocol: PROTOCOL, baseUrl: BASE_URL, model: MODEL, p95Ms: P95_MS, p99Ms: P99_MS, errorRate: ERROR_RATE };
    const summary = { scenario, settings: { ...common, ...settings }, ...findings.values, thresholds, metrics: data.metrics };
    out[FILE] = `${JSON.stringify(summary, null, 2)}\n`;
  }
  return out;
}
