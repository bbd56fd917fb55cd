/** The document of `penstock bench --json`: one run, with all that is needed to repeat it. Its reader is run-record-reader.ts. */
import { arch, cpus, release, totalmem } from 'node:os';
import { VERSION } from '../../config/version.js';
import type { LoadResult } from '../load/load-generator.js';
import type { LoadSettings } from '../load/load-settings.js';
import type { LoadTarget } from '../load/load-target.js';

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
