/** The document of `penstock bench --json`: one run, with all that is needed to repeat it; and its reader. */
import { arch, cpus, release, totalmem } from 'node:os';
import { VERSION } from '../../config/version.js';
import { QUANTILES, type LoadResult, type Quantile, type Quantiles } from '../load/load-generator.js';
import type { LoadSettings } from '../load/load-settings.js';
import type { LoadTarget } from '../load/load-target.js';
import type { JsonFields } from './json-fields.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_bytes: number;
  readonly arch: string;
  readonly kernel: string;
}

export interface Versions {
  readonly penstock: string;
  readonly node: string;
}

/** What was asked of the generator; two runs are comparable when these are the same. */
export interface RunSettings {
  readonly protocol: 'http' | 'grpc';
  /** Requests per second; null = closed loop, or a trace. */
  readonly rate: number | null;
  /** Null = closed loop. */
  readonly arrivals: string | null;
  /** Requests in flight; null = open loop. */
  readonly closed_loop: number | null;
  /** Null = as long as the trace. */
  readonly duration_s: number | null;
  readonly warm_up_s: number;
  readonly grace_s: number;
  readonly batch_size: number;
  /** How inputs and outputs travel. */
  readonly tensors: 'binary' | 'json';
  readonly data: 'random' | 'zeros';
  readonly seed: number;
  readonly threads: number;
  readonly connections: number;
  /** Calls of gRPC at a time on a connection; null = as the generator likes, or HTTP. */
  readonly streams: number | null;
  /** Null = no goal. */
  readonly goal_ms: number | null;
}

export interface MeasuredServer {
  readonly url: string;
  readonly name: string;
  readonly version: string;
}

export interface MeasuredModel {
  readonly name: string;
  /** Asked for; empty = the server chose. */
  readonly version: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly input_shapes: Readonly<Record<string, readonly number[]>>;
}

export interface RunRecord {
  readonly kind: 'bench';
  /** ISO 8601. */
  readonly taken: string;
  readonly versions: Versions;
  readonly machine: Machine;
  readonly server: MeasuredServer;
  readonly model: MeasuredModel;
  readonly settings: RunSettings;
  readonly result: LoadResult;
}

export function machineHere(): Machine {
  const processors = cpus();
  return { cpu: processors[0]?.model ?? '', cores: processors.length, memory_bytes: totalmem(), arch: arch(), kernel: release() };
}

export function versionsHere(): Versions {
  return { penstock: VERSION, node: process.versions.node };
}

export function runSettings(load: LoadSettings, target: LoadTarget): RunSettings {
  return {
    protocol: load.url.protocol === 'grpc:' ? 'grpc' : 'http',
    rate: load.rate,
    arrivals: load.closedLoop === null ? load.arrivals : null,
    closed_loop: load.closedLoop,
    duration_s: load.duration,
    warm_up_s: load.warmUp,
    grace_s: load.grace,
    batch_size: load.batchSize,
    tensors: target.request.tensors,
    data: load.data,
    seed: load.seed,
    threads: load.threads,
    connections: load.connections,
    streams: load.streams,
    goal_ms: load.goalMs,
  };
}

export function measuredServer(load: LoadSettings, target: LoadTarget): MeasuredServer {
  return { url: load.url.href, ...target.server };
}

export function measuredModel(load: LoadSettings, target: LoadTarget): MeasuredModel {
  return { ...target.model, version: load.modelVersion, input_shapes: target.request.shapes };
}

export function runRecord(load: LoadSettings, target: LoadTarget, result: LoadResult, takenAt: Date): RunRecord {
  return {
    kind: 'bench',
    taken: takenAt.toISOString(),
    versions: versionsHere(),
    machine: machineHere(),
    server: measuredServer(load, target),
    model: measuredModel(load, target),
    settings: runSettings(load, target),
    result,
  };
}

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
