/** Results as the generator would have printed them, and the documents around them. */
import type { ComparedRun, CompareRecord } from '../../../../src/planning/bench/compare-record.js';
import type { RunRecord } from '../../../../src/planning/bench/run-record.js';
import type { LoadResult, Quantile } from '../../../../src/planning/load/load-generator.js';

const around = (value: number): Quantile => ({ value, low: value * 0.98, high: value * 1.02 });

/** `latency`: milliseconds of p50; p90 is twice, p99 four times as much. */
export function loadResult(latency: number, changes: Partial<LoadResult> = {}): LoadResult {
  const quantiles = {
    p50: around(latency),
    p90: around(2 * latency),
    p95: around(3 * latency),
    p99: around(4 * latency),
    p999: { value: 8 * latency, low: 7 * latency, high: null },
    mean_answered: latency,
    max_answered: 9 * latency,
  };
  return {
    complete: true,
    refused: null,
    rate_wanted: 1000,
    rate_sent: 1000,
    rate_answered: 1000,
    goal_ms: null,
    goodput: null,
    counts: {
      requests: 10_000,
      answered: 10_000,
      late_answers: 0,
      misses: 0,
      wrong: 0,
      shed: 0,
      failed: 0,
      broken: 0,
      unanswered: 0,
      warm_up: 1000,
    },
    confidence: 0.95,
    latency_ms: quantiles,
    from_send_ms: quantiles,
    schedule_delay_ms: { p50: 0.01, p99: 0.05, max: 0.2, late_share: 0, waited_for_connection: 0 },
    connections: 12,
    settings: { loop: 'open' },
    ...changes,
  };
}

export function withMisses(latency: number, misses: number): LoadResult {
  const { counts, ...result } = loadResult(latency);
  return { ...result, counts: { ...counts, misses, shed: misses, answered: counts.requests - misses } };
}

const COMMON = {
  taken: '2026-11-21T12:00:00.000Z',
  versions: { penstock: '0.1.0', node: '20.20.2' },
  machine: { cpu: 'EPYC', cores: 2, memory_bytes: 2 ** 34, arch: 'x64', kernel: '6.18' },
  settings: {
    protocol: 'http',
    rate: 1000,
    arrivals: 'poisson',
    closed_loop: null,
    duration_s: 10,
    warm_up_s: 1,
    grace_s: 10,
    batch_size: 1,
    tensors: 'binary',
    data: 'random',
    seed: 1,
    threads: 1,
    connections: 1024,
    streams: null,
    goal_ms: null,
  },
} as const;
const MODEL = { name: 'digits', version: '', versions: ['1', '2'], platform: 'onnxruntime_onnx', input_shapes: { image: [1, 1, 8, 8] } };

export function runRecordOf(result: LoadResult, changes: Partial<RunRecord> = {}): RunRecord {
  const server = { url: 'http://127.0.0.1:8000/', name: 'penstock', version: '0.1.0' };
  return { kind: 'bench', ...COMMON, server, model: MODEL, result, ...changes };
}

/** `rounds`: [ours, theirs] of each. */
export function compareRecordOf(rounds: readonly (readonly [LoadResult, LoadResult])[]): Omit<CompareRecord, 'ratios'> {
  const server = (name: string) => ({ url: `http://${name}/`, name, version: '1', model: MODEL, differs: null });
  const run = (position: number, result: LoadResult): ComparedRun => ({ server: position, attempts: 1, result });
  return {
    kind: 'bench compare',
    ...COMMON,
    servers: [server('ours'), server('theirs')],
    rounds_wanted: rounds.length,
    rounds: rounds.map(([ours, theirs]) => [run(0, ours), run(1, theirs)]),
    stopped: null,
  };
}
