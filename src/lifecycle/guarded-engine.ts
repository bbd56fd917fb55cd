/** The engine, stopped however the process ends: ONNX Runtime's static destructors must not meet a model that still runs. */
import { exitNow, startEngine, stopEngine, type NativeGpuOptions } from '../bridge/control.js';
import { usableCpus } from '../config/cpu-limit.js';
import type { Options } from '../config/options.js';
import { findOrtLibrary } from '../config/ort-library.js';
import { visibleDevices } from '../config/visible-devices.js';

/** The engine of the process. Constructing it starts it, which takes seconds where there are GPUs; throws ERR_ORT_LIBRARY. */
export class GuardedEngine {
  /** Threads that ONNX Runtime computes with. */
  readonly cpuThreads: number;
  #stopped: boolean | undefined;

  constructor(options: Options) {
    const cpus = usableCpus();
    this.cpuThreads = options.cpuThreads === 0 ? cpus : options.cpuThreads;
    startEngine({
      ortLibrary: findOrtLibrary(options.ortLibrary),
      intraOpThreads: this.cpuThreads,
      maxRequestBytes: options.maxRequestBytes,
      maxInFlightRequests: options.maxInFlightRequests,
      maxInFlightBytes: options.maxInFlightBytes,
      laneSpinUs: options.laneSpinUs,
      cpus,
      gpu: gpuOptions(options),
    });
    process.once('exit', (code) => {
      // A model file that is being read cannot be interrupted.
      if (!this.stop()) exitNow(code);
    });
  }

  /** Blocks until every run has ended. False when a model is still being loaded. Later calls say what the first one found, at once. */
  stop(): boolean {
    this.#stopped ??= stopEngine();
    return this.#stopped;
  }
}

function gpuOptions(options: Options): NativeGpuOptions {
  return {
    allowed: options.gpu === 'auto',
    visibleDevices: visibleDevices(),
    minComputeCapability: options.minSupportedComputeCapability,
    pinnedPoolBytes: options.pinnedMemoryPoolByteSize,
    monitorIntervalMs: options.metricsIntervalMs,
    probeIntervalMs: Math.round(options.gpuProbeIntervalSecs * 1000),
    probeBytes: options.gpuProbeBytes,
    watchdogMs: options.gpuWatchdogMs,
  };
}
