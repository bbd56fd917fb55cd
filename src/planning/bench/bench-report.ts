/** What `penstock bench` says of a run to people. */
import type { BenchOptions } from './bench-options.js';
import { QUANTILES, type LoadResult, type Quantile } from '../load/load-generator.js';
import type { LoadTarget } from '../load/load-target.js';

export function benchTable(options: BenchOptions, target: LoadTarget, result: LoadResult): string {
  const { counts, schedule_delay_ms: delay } = result;
  const kinds = (['wrong', 'shed', 'failed', 'broken', 'unanswered'] as const).filter((kind) => counts[kind] > 0);
  const loop = options.closedLoop === null ? `${options.arrivals} arrivals, seed ${options.seed}` : `closed loop of ${options.closedLoop}`;
  const shapes = Object.entries(target.request.shapes).map(([name, shape]) => `${name}[${shape.join(',')}]`);
  const lines = [
    `${options.model} at ${options.url.protocol}//${options.url.host} (${target.server.name} ${target.server.version}): ${shapes.join(' ')}, ${loop}`,
    '',
    `requests     ${counts.requests}, ${counts.misses} without a right answer${kinds.length > 0 ? ` (${kinds.map((kind) => `${kind} ${counts[kind]}`).join(', ')})` : ''}`,
    `per second   ${result.rate_wanted === null ? '' : `wanted ${rounded(result.rate_wanted)}, `}sent ${rounded(result.rate_sent)}, answered ${rounded(result.rate_answered)}`,
    ...inTime(result),
    ...QUANTILES.map((name, i) => `${i === 0 ? 'latency' : '       '}  ${name.padEnd(4)} ${shown(result.latency_ms[name])}`),
    `         max  ${milliseconds(result.latency_ms.max_answered)} of those answered`,
  ];
  if (delay !== null) {
    const late = (100 * delay.late_share).toFixed(3);
    lines.push(
      `sent late by p50 ${milliseconds(delay.p50)}, p99 ${milliseconds(delay.p99)}, max ${milliseconds(delay.max)}; ${late} % by more than 1 ms`,
    );
  }
  if (target.answerPrefix.length === 0)
    lines.push('note: the server answers the same request differently, so that answers were not compared');
  if (!result.complete) lines.push('INCOMPLETE: the run was stopped before its end');
  if (result.refused !== null) lines.push(`REFUSED: ${result.refused}`);
  return lines.join('\n');
}

function inTime({ counts, goal_ms: goal, goodput }: LoadResult): string[] {
  if (goal === null || goodput === null) return [];
  const answers = counts.answered - counts.late_answers;
  const share = counts.requests === 0 ? 0 : (100 * answers) / counts.requests;
  return [`in time      ${answers} within ${goal} ms (${share.toFixed(3)} % of the requests), ${rounded(goodput)} per second`];
}

function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 3 : 1)} ms`;
}

/** With the interval in which the true value lies with 95 % confidence. */
function shown({ value, low, high }: Quantile): string {
  if (value === null) return 'never: too many requests have no right answer';
  if (low === null || high === null) return `${low === null ? '' : `at least ${milliseconds(low)}: `}too few requests to tell`;
  return `${milliseconds(value)} (${milliseconds(low)} to ${milliseconds(high)})`;
}
