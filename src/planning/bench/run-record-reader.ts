/** Reads the document of `penstock bench --json`, and the parts that it shares with that of `bench compare`. */
import { QUANTILES, type LoadResult, type Quantile, type Quantiles } from '../load/load-generator.js';
import type { JsonFields } from './json-fields.js';
import type { Machine, MeasuredModel, MeasuredServer, RunRecord, RunSettings, Versions } from './run-record.js';

/** Throws `OptionsError`, which names the field that is not as expected. */
export function readRunRecord(fields: JsonFields): RunRecord {
  return {
    kind: fields.choice('kind', ['bench']),
    taken: fields.text('taken'),
    versions: readVersions(fields.fields('versions')),
    machine: readMachine(fields.fields('machine')),
    server: readServer(fields.fields('server')),
    model: readModel(fields.fields('model')),
    settings: readSettings(fields.fields('settings')),
    result: readLoadResult(fields.fields('result')),
  };
}

export function readVersions(fields: JsonFields): Versions {
  return { penstock: fields.text('penstock'), node: fields.text('node') };
}

export function readMachine(fields: JsonFields): Machine {
  return {
    cpu: fields.text('cpu'),
    cores: fields.number('cores'),
    memory_bytes: fields.number('memory_bytes'),
    arch: fields.text('arch'),
    kernel: fields.text('kernel'),
  };
}

export function readServer(fields: JsonFields): MeasuredServer {
  return { url: fields.text('url'), name: fields.text('name'), version: fields.text('version') };
}

export function readModel(fields: JsonFields): MeasuredModel {
  return {
    name: fields.text('name'),
    version: fields.text('version'),
    versions: fields.texts('versions'),
    platform: fields.text('platform'),
    input_shapes: fields.shapes('input_shapes'),
  };
}

export function readSettings(fields: JsonFields): RunSettings {
  return {
    protocol: fields.choice('protocol', ['http', 'grpc']),
    rate: fields.numberOrNull('rate'),
    arrivals: fields.textOrNull('arrivals'),
    closed_loop: fields.numberOrNull('closed_loop'),
    duration_s: fields.numberOrNull('duration_s'),
    warm_up_s: fields.number('warm_up_s'),
    grace_s: fields.number('grace_s'),
    batch_size: fields.number('batch_size'),
    tensors: fields.choice('tensors', ['binary', 'json']),
    data: fields.choice('data', ['random', 'zeros']),
    seed: fields.number('seed'),
    threads: fields.number('threads'),
    connections: fields.number('connections'),
    streams: fields.numberOrNull('streams'),
    goal_ms: fields.numberOrNull('goal_ms'),
  };
}

const COUNTS = ['requests', 'answered', 'late_answers', 'misses', 'wrong', 'shed', 'failed', 'broken', 'unanswered', 'warm_up'] as const;
const DELAYS = ['p50', 'p99', 'max', 'late_share', 'waited_for_connection'] as const;

export function readLoadResult(fields: JsonFields): LoadResult {
  const delay = fields.fieldsOrNull('schedule_delay_ms');
  return {
    complete: fields.flag('complete'),
    refused: fields.textOrNull('refused'),
    rate_wanted: fields.numberOrNull('rate_wanted'),
    rate_sent: fields.number('rate_sent'),
    rate_answered: fields.number('rate_answered'),
    goal_ms: fields.numberOrNull('goal_ms'),
    goodput: fields.numberOrNull('goodput'),
    counts: readNumbers(fields.fields('counts'), COUNTS),
    confidence: fields.number('confidence'),
    latency_ms: readQuantiles(fields.fields('latency_ms')),
    from_send_ms: readQuantiles(fields.fields('from_send_ms')),
    schedule_delay_ms: delay === null ? null : readNumbers(delay, DELAYS),
    connections: fields.number('connections'),
    settings: fields.fields('settings').values,
  };
}

function readQuantiles(fields: JsonFields): Quantiles {
  const quantiles = Object.fromEntries(QUANTILES.map((name) => [name, readQuantile(fields.fields(name))]));
  return {
    ...(quantiles as Record<(typeof QUANTILES)[number], Quantile>),
    mean_answered: fields.number('mean_answered'),
    max_answered: fields.number('max_answered'),
  };
}

function readQuantile(fields: JsonFields): Quantile {
  return { value: fields.numberOrNull('value'), low: fields.numberOrNull('low'), high: fields.numberOrNull('high') };
}

function readNumbers<T extends string>(fields: JsonFields, names: readonly T[]): Readonly<Record<T, number>> {
  return Object.fromEntries(names.map((name) => [name, fields.number(name)])) as Record<T, number>;
}
