/**
 * The native addon as TypeScript sees it: the same names in the same order as native/bridge/. Plain data goes in and comes out.
 *
 * Tags: [sync] returns at once, [async] resolves later on this environment's thread, [blocks] may take as long as a model run.
 * Native failures come as `NativeFailure` (returned where they are expected, thrown as errors with a numeric `status` otherwise).
 */
import { createRequire } from 'node:module';
import type { NativeGpuOptions, NativeGpuReport, NativeGpuState } from './addon-gpus.js';
import type { SimulationJob, SimulationResult } from './simulation.js';
import type { NativeVersionSpec } from './version-spec.js';

export type * from './addon-gpus.js';

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
  /** Inputs: the file has a value for runs that are not given any. */
  readonly optional: boolean;
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
  /** [sync] For the log: what has become known since it was created, or since the last call. */
  newNotes(): readonly string[];
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
  /** Microseconds that an idle lane looks for work before it sleeps; 0 = it sleeps at once. */
  readonly laneSpinUs: number;
  /** CPUs that this process may use. */
  readonly cpus: number;
  readonly gpu: NativeGpuOptions;
}

/** Memory that a version holds. */
export interface NativeMemoryUse {
  /** "CPU", "CPU_PINNED" or "GPU", as the V2 statistics have it. */
  readonly kind: string;
  /** Of "GPU"; empty otherwise. */
  readonly gpuUuid: string;
  /** Index of the GPU; 0 otherwise. */
  readonly id: number;
  readonly bytes: number;
}

export interface NativeSessionOptions {
  readonly modelPath: string;
  /** 0 = the shared pool. */
  readonly intraOpThreads: number;
  /** UUIDs of the GPUs to run on, each with a session of its own; empty = the CPU. */
  readonly gpus: readonly string[];
  /** Of ONNX Runtime's CUDA provider, by its own names. */
  readonly providerOptions: Readonly<Record<string, string>>;
  /** Record runs on GPUs as CUDA graphs, each lane in a session of its own. */
  readonly graphs: boolean;
  /** Pad batches to powers of two. */
  readonly buckets: boolean;
  /** Runs of one session at one time, >= 1; the copies of other lanes overlap with them in any case. */
  readonly runsAtOnce: number;
}

/** A version that is warm and whose lanes run, and what became of the wishes in its specification. */
export interface NativeCreatedVersion {
  readonly handle: NativeVersion;
  readonly lanes: number;
  readonly merges: boolean;
  /** Requests of different length share batches. */
  readonly pads: boolean;
  /** For the log: why a wish was not granted, or why there was no warm-up. */
  readonly notes: readonly string[];
  readonly memory: readonly NativeMemoryUse[];
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
  /** Of inputs, since they were received; more than `bytesReceived` where a byte was copied more than once. */
  readonly inputBytesCopied: number;
  /** Of outputs: handed out, and copied on their way into a reply. */
  readonly bytesHandedOut: number;
  readonly outputBytesCopied: number;
  /** Requests that were dropped when their turn came, because they could not have been answered in time any more. */
  readonly droppedAtDispatch: number;
  /** Threads that run the model. */
  readonly lanes: number;
  /** Time that they were busy with batches, of all together. */
  readonly laneBusyNs: number;
  /** Now waiting, not yet running. */
  readonly queueLength: number;
  /** UUIDs of the GPUs that it runs on; empty = the CPU. */
  readonly gpus: readonly string[];
  readonly memory: readonly NativeMemoryUse[];
  /** Rows that batches may have now: fewer than configured after the GPU ran out of memory, until it has recovered. 0 = no limit. */
  readonly batchLimit: number;
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
  /** Page-locked memory: what it may have, what blocks hold now, and what had to come from ordinary memory instead since the start. */
  readonly pinnedPoolBytes: number;
  readonly pinnedUsedBytes: number;
  readonly pinnedFallbackBlocks: number;
  readonly pinnedFallbackBytes: number;
}

export interface NativeCompletion {
  readonly token: number;
  /** 0 when the model ran; then `head` is set. */
  readonly status: number;
  readonly message: string;
  /** Request id that the client gave; empty = none. */
  readonly requestId: string;
  /**
   * HTTP: the JSON document. gRPC: the whole ModelInferResponse. Owned by JavaScript. A small answer comes as a text of one character
   * (Latin-1) for each byte, over HTTP with its binary outputs behind the document: a text costs much less than a Buffer.
   */
  readonly head: Buffer | string | null;
  /** HTTP: bytes of the JSON document when binary outputs follow, for Inference-Header-Content-Length; -1 = none follow. */
  readonly jsonBytes: number;
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
  /** Milliseconds after which a retry makes sense, without jitter; 0 = nothing is known. */
  readonly retryAfterMs: number;
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

/** A port that the process listens on. Main thread. Closed by `close` or by garbage collection, whichever is first. */
export interface NativeListener {
  readonly port: number;
  /** [sync] Accepts what has connected already, then stops listening. Connections stay. May be repeated. */
  close(): void;
  /** [sync] Why the system has refused connections since the last call: those who connect wait. Empty = it has not. */
  shortage(): string;
}

/** A front-end thread's part of the connections of one port. Closed by `close`, by the end of its thread, or by garbage collection. */
export interface NativeConnections {
  /** [sync] One of the connections handed to this thread has ended. */
  ended(): void;
  /** [sync] No connection comes any more; those that were on their way are closed. May be repeated. */
  close(): void;
}

/** The ports whose connections the accept threads hand out. */
export type NativePortName = 'http' | 'grpc';

/** Connections of one port that one thread of the front end has, those on their way to it included. */
export interface NativeConnectionCount {
  readonly port: NativePortName;
  /** Its number: of a front-end thread, or, where the native front end serves, of a loop. */
  readonly thread: number;
  readonly connections: number;
}

export interface NativeErrorReply {
  readonly httpStatus: number;
  readonly grpcStatus: number;
  readonly message: string;
  /** Before any jitter; 0 = say nothing. */
  readonly retryAfterMs: number;
  /** It belongs into the log as an error. */
  readonly isOurFault: boolean;
}

/** PEM texts of the TLS that both serving ports end. */
export interface TlsMaterial {
  /** The certificate and what leads from it to its authority. */
  readonly cert: string;
  readonly key: string;
  /** Whose certificates clients must show; empty = they need none. */
  readonly clientCa: string;
}

export interface NativeFrontEndOptions {
  /** Threads that serve connections. */
  readonly loops: number;
  /** Of a body or message. */
  readonly maxRequestBytes: number;
  /** Of bodies of inference that one loop takes in at one time, over HTTP and gRPC; 0 = no limit. */
  readonly maxReceivingBytes: number;
  /** Calls of one HTTP/2 connection at one time. */
  readonly maxConcurrentStreams: number;
  /** Milliseconds a client may take for its headers, for its whole request, and between two requests; 0 = no limit. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Report every request that ended. */
  readonly logsRequests: boolean;
  /** Report failures that are the client's, too. */
  readonly logsRefusals: boolean;
  /** Without it connections are plain. */
  readonly tls?: TlsMaterial;
}

interface NativeRequestFacts {
  /** Of HTTP; "GRPC". */
  readonly method: string;
  readonly path: string;
  /** That the client gave; empty = none. */
  readonly requestId: string;
}

/** What happened to a request that the native front end has answered itself. */
export type NativeRequestEvent =
  | (NativeRequestFacts & {
      readonly kind: 'ended';
      /** HTTP status in digits, name of the gRPC status, or "aborted". */
      readonly status: string;
      readonly durationMs: number;
      /** Of bodies and messages. */
      readonly bytesIn: number;
      readonly bytesOut: number;
    })
  | (NativeRequestFacts & {
      readonly kind: 'failed';
      /** Status number. */
      readonly code: number;
      readonly message: string;
    });

/** The native front end of the process. Main thread. Ended by `destroy`, by the end of its environment, or by garbage collection. */
export interface NativeFrontEnd {
  /** [sync] Every answer from now on tells its client to go; everything is still served. May be repeated. */
  goAway(): void;
  /** [sync] Ends idle connections, and the others with their last answer; `onDrained` comes when none is left. The ports must be closed. */
  drain(): void;
  /** [sync] Asks for more events: after a call of `onEvents` there is no other until then, and what comes waits. In a later turn. */
  nextEvents(): void;
  /** [sync] For connections that come from now on; only where the options had one. Throws ERR_CONFIG_OPTION that says which text is wrong. */
  setTls(material: TlsMaterial): void;
  /** [blocks] for a turn of its loops. Closes every connection, hands out the events that wait; no callback after this. May be repeated. */
  destroy(): void;
}

export interface NativeAddon {
  /** [sync] The native half of the error table: `[number, code]`. */
  statusCodes(): readonly (readonly [number, string])[];
  /** [sync] `[number, protocol name, bytes of an element]`. */
  dataTypes(): readonly (readonly [number, string, number])[];
  /** [sync] Upper bounds of every latency histogram. */
  latencyBoundsSeconds(): readonly number[];
  /** [sync] What the native front end tells a client of a failure: the native half of frontend/error-reply.ts. */
  errorReply(code: number, message: string, retryAfterMs: number): NativeErrorReply;
  /**
   * [sync] `[milliseconds, value of Retry-After]` that the native front end gives on that advice: its half of frontend/retry-delay.ts.
   * `unit` and `blur` are within [0, 1).
   */
  retryDelays(adviceMs: number, unit: number, blur: number): readonly [number, number];
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
  /** [sync] The GPUs that startEngine or findGpus has found. */
  gpus(): NativeGpuReport;
  /** [async] Looks once more, on a loader thread, if none has been found so far. Before any model is loaded that would run on one. */
  findGpus(): Promise<NativeGpuReport>;
  /** [sync] One for each of them, in the same order. */
  gpuStates(): readonly NativeGpuState[];
  /** [async] Loads a model file on a loader thread. */
  openSession(options: NativeSessionOptions): Promise<NativeSession>;
  /** [async] Warms a version up on a loader thread and starts its lanes; it serves once a catalog names it. */
  createVersion(session: NativeSession, spec: NativeVersionSpec): Promise<NativeCreatedVersion>;
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
  /**
   * [sync] Listens, and accepts on a thread of its own once a front-end thread takes connections. Connections beyond `maxConnections` are
   * closed at once. Port 0 picks a free one. Throws `ERR_PORT_BUSY` and `ERR_CONFIG_OPTION` in words for operators.
   */
  openListener(options: {
    readonly name: NativePortName;
    readonly host: string;
    readonly port: number;
    readonly maxConnections: number;
    /** Its connections are for startFrontEnd; takeConnections then takes what that one passes on. */
    readonly servedNatively: boolean;
  }): NativeListener;
  /**
   * [sync] Joins those that take connections of a port: each goes, as a file descriptor that is theirs, to the one that has fewest.
   * `thread` is what this one is called in `connectionCounts`.
   */
  takeConnections(name: NativePortName, thread: number, onConnection: (fd: number) => void): NativeConnections;
  /** [sync] One for each thread and port. Of clients only, not of what one part of the process passes on to another. */
  connectionCounts(): readonly NativeConnectionCount[];
  /** [sync] null, or why this process has no nghttp2: without it gRPC cannot be served natively. Looked for once. */
  findNghttp2(): NativeFailure | null;
  /** [sync] null, or why this process has no OpenSSL: without it TLS cannot be ended natively. Looked for once. */
  findTls(): NativeFailure | null;
  /**
   * [sync] Starts the loops and serves the ports that are open for it. `onEvents` gets the oldest events, 256 at most, and how many were
   * lost since the last call because too many waited. Throws ERR_NOT_SUPPORTED when gRPC is among the ports and there is no nghttp2, or
   * TLS is wanted and there is no OpenSSL, and ERR_CONFIG_OPTION as setTls does.
   */
  startFrontEnd(
    options: NativeFrontEndOptions,
    onDrained: () => void,
    onEvents: (events: readonly NativeRequestEvent[], lost: number) => void,
  ): NativeFrontEnd;
  /**
   * [blocks] Milliseconds to a minute, on any thread, several at a time; needs no engine. Ends soon, with ERR_REQUEST_CANCELLED, once the
   * first element of `stop` is not 0; null = never. That is the only way: terminating its thread waits for it.
   */
  simulate(job: SimulationJob, stop: Int32Array | null): SimulationResult;
}

const require = createRequire(import.meta.url);

export const addon = require('../../build/native/penstock.node') as NativeAddon;
