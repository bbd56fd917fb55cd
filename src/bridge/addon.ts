/**
 * The native addon as TypeScript sees it: the same names in the same order as native/bridge/. Plain data goes in and comes out.
 *
 * Tags: [sync] returns at once, [async] resolves later on this environment's thread, [blocks] may take as long as a model run.
 * Native failures come as `NativeFailure` (returned where they are expected, thrown as errors with a numeric `status` otherwise).
 */
import { createRequire } from 'node:module';

/** `[status number, message]`. */
export type NativeFailure = readonly [number, string];

export interface NativeTensorSpec {
  readonly name: string;
  /** Number of the data type, see data-type.ts. */
  readonly dataType: number;
  /** -1 where symbolic or unknown. */
  readonly dims: readonly number[];
  /** As long as `dims`; empty text where fixed or nameless. */
  readonly symbolicDims: readonly string[];
}

export interface NativeSignature {
  readonly inputs: readonly NativeTensorSpec[];
  readonly outputs: readonly NativeTensorSpec[];
  /** Producer, graph name, description, version and custom keys of the model file. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface NativeSession {
  /** [sync] */
  signature(): NativeSignature;
  /** [sync] Drops this handle; versions made from the session keep it. May be repeated. */
  close(): void;
}

export interface NativeVersion {
  /** [sync] Drops this handle; the catalog and running requests keep the version. May be repeated. */
  close(): void;
}

export interface NativeEngineOptions {
  /** Path of libonnxruntime.so.1. */
  readonly ortLibrary: string;
  /** Threads of the one ONNX Runtime pool, >= 1. */
  readonly intraOpThreads: number;
  /** Bytes of one tensor after decoding; 0 is refused. */
  readonly maxRequestBytes: number;
  /** Accepted requests that have not been answered; 0 = unbounded. */
  readonly maxInFlightRequests: number;
  /** Input bytes of those; 0 = unbounded. */
  readonly maxInFlightBytes: number;
}

export interface NativeApiTensor {
  readonly name: string;
  readonly dataType: number;
  /** With the batch dimension first (-1) when the version is batched. */
  readonly dims: readonly number[];
}

export interface NativeVersionSpec {
  readonly modelName: string;
  readonly version: number;
  /** 0 = not batched. */
  readonly maxBatchSize: number;
  readonly inputs: readonly NativeApiTensor[];
  readonly outputs: readonly NativeApiTensor[];
  /** Threads that run the model, >= 1. */
  readonly lanes: number;
  /** 0 = unbounded. */
  readonly maxQueueSize: number;
  readonly maxQueueBytes: number;
}

export interface NativeCatalogVersion {
  readonly version: number;
  /** null when the version is not ready; `reason` then says why. */
  readonly handle: NativeVersion | null;
  readonly reason: string;
  readonly metadataJson: string;
  readonly configJson: string;
}

export interface NativeCatalogModel {
  readonly name: string;
  readonly versions: readonly NativeCatalogVersion[];
  /** 0 = no version is ready. */
  readonly defaultVersion: number;
  readonly metadataJson: string;
}

/** Count and nanoseconds. */
export interface NativeDuration {
  readonly count: number;
  readonly ns: number;
}

export interface NativeHistogram {
  /** One count for each bound of `latencyBoundsSeconds()`, then one for what is above; not cumulative. */
  readonly buckets: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
}

export interface NativeLatencies {
  /** From acceptance to outcome. */
  readonly requestSeconds: NativeHistogram;
  /** Waiting for a lane. */
  readonly queueSeconds: NativeHistogram;
  /** In a lane: gather, run, outputs. */
  readonly computeSeconds: NativeHistogram;
}

/** Counters of one version since it was loaded; all only grow. */
export interface NativeStatistics {
  readonly model: string;
  readonly version: number;
  readonly lastInferenceMs: number;
  readonly inferenceCount: number;
  readonly executionCount: number;
  readonly success: NativeDuration;
  readonly fail: NativeDuration;
  readonly queue: NativeDuration;
  readonly computeInput: NativeDuration;
  readonly computeInfer: NativeDuration;
  readonly computeOutput: NativeDuration;
  /** By Triton's reason label: REJECTED, CANCELED, BACKEND, OTHER, in this order. */
  readonly failures: readonly number[];
  readonly batches: readonly {
    readonly batchSize: number;
    readonly computeInput: NativeDuration;
    readonly computeInfer: NativeDuration;
    readonly computeOutput: NativeDuration;
  }[];
  /** Of successes, by protocol. */
  readonly latencies: { readonly http: NativeLatencies; readonly grpc: NativeLatencies };
  readonly bytesReceived: number;
  readonly bytesCopied: number;
  /** Now waiting, not yet running. */
  readonly queueLength: number;
}

export interface NativeGauges {
  readonly inFlightRequests: number;
  /** Of inputs, and of answers beyond 64 KiB until they are released. */
  readonly inFlightBytes: number;
  /** Tensor memory alive. */
  readonly blockBytes: number;
  readonly blocks: number;
  /** Output ranges wrapped for JavaScript and not given back yet, in every environment. */
  readonly ranges: number;
  readonly rangeBytes: number;
}

export interface NativeCompletion {
  readonly token: number;
  /** 0 when the model ran; then `head` is set. */
  readonly status: number;
  readonly message: string;
  /** Request id that the client gave; empty = none. */
  readonly requestId: string;
  /** HTTP: the JSON document. gRPC: the whole ModelInferResponse. Owned by JavaScript. */
  readonly head: Buffer | null;
  /** HTTP: true when `tails` hold binary outputs, so that Inference-Header-Content-Length is head.length. */
  readonly binary: boolean;
  /**
   * HTTP: binary outputs in order, uncopied where large: ranges of native memory until given back with `release`. An output beyond
   * 1 GiB comes as several.
   */
  readonly tails: readonly Buffer[];
  /** What `release` takes: names of the ranges behind `tails`, and of the charge for a large answer. */
  readonly ranges: readonly number[];
}

/** What `submitHttp` and `submitGrpc` say at once: null = accepted, exactly one completion will come. */
export interface NativeRefusal {
  readonly status: number;
  readonly message: string;
  readonly requestId: string;
}

/** One environment's door to the engine. Closed by `close`, by the end of its thread, or by garbage collection, whichever is first. */
export interface NativeSink {
  /**
   * [sync] Decode, look up, check, admit, queue. `chunks` are the body as received, each kept alive until gathered; they must not be
   * changed until then. `jsonBytes`: Inference-Header-Content-Length, -1 = absent. `timeoutMs`: from now, 0 = none.
   */
  submitHttp(
    token: number,
    model: string,
    version: string,
    chunks: readonly Uint8Array[],
    jsonBytes: number,
    timeoutMs: number,
  ): NativeRefusal | null;
  /** [sync] The same for a ModelInferRequest message. */
  submitGrpc(token: number, message: Uint8Array, timeoutMs: number): NativeRefusal | null;
  /** [sync] A queued request ends now, a running one soon, with ERR_REQUEST_CANCELLED; its completion still comes. Unknown tokens are ignored. */
  cancel(token: number): void;
  /** [sync] Gives ranges back: their memory is free at once and the buffers become empty. Unknown names are ignored. */
  release(ranges: readonly number[]): void;
  /** [sync] Cancels everything, drops what is done but not delivered. No callback after this. May be repeated. */
  close(): void;
}

export interface NativeAddon {
  /** [sync] The native half of the error table: `[number, code]`. */
  statusCodes(): readonly (readonly [number, string])[];
  /** [sync] `[number, protocol name, bytes of an element]`. */
  dataTypes(): readonly (readonly [number, string, number])[];
  /** [sync] Upper bounds of every latency histogram. */
  latencyBoundsSeconds(): readonly number[];
  /**
   * [sync] Loads ONNX Runtime and creates the engine of the process, which lives until `stopEngine` or the end of the process, however
   * that comes. Throws when it is running already.
   */
  startEngine(options: NativeEngineOptions): void;
  /** [sync] "1.29.0"; empty before startEngine. */
  ortVersion(): string;
  /**
   * [blocks] Refuses new work, ends what runs, joins every lane, for 3 s at most. May be repeated. False when a model is still being loaded
   * or a run does not heed its termination: the process must then leave by `exitNow`, because ONNX Runtime's static destructors would
   * race with it.
   */
  stopEngine(): boolean;
  /** [sync] Leaves the process at once: nothing is destroyed, no exit handler runs. */
  exitNow(code: number): never;
  /** [async] Loads a model file on a loader thread. `intraOpThreads` 0 = the shared pool. */
  openSession(options: { readonly modelPath: string; readonly intraOpThreads: number }): Promise<NativeSession>;
  /** [sync] Starts the lanes of a version; it serves once a catalog names it. */
  createVersion(session: NativeSession, spec: NativeVersionSpec): NativeVersion;
  /** [sync] Swaps the catalog. Versions that are not in it any more retire once their requests have ended. */
  publishCatalog(models: readonly NativeCatalogModel[]): void;
  /** [sync] A ready document of a model or version (empty version = default). Throws what `Find` says. */
  describe(kind: 'metadata' | 'config', model: string, version: string): string;
  /** [sync] Counters; empty model = every model, empty version = every ready version. Throws for unknown ones. */
  statistics(model: string, version: string): readonly NativeStatistics[];
  /** [sync] */
  gauges(): NativeGauges;
  /** [sync] Stores the health document for the front ends, with the time. */
  publishHealth(json: string): void;
  /** [sync] The last health document (empty = none yet) and its age. */
  health(): { readonly json: string; readonly ageMs: number };
  /** [sync] `onCompletions` gets every outcome since the last call, on this environment's thread. */
  openSink(onCompletions: (completions: readonly NativeCompletion[]) => void): NativeSink;
}

const require = createRequire(import.meta.url);

export const addon = require('../../build/native/penstock.node') as NativeAddon;
