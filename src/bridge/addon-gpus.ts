/** What the addon is told about GPUs and says of them; part of addon.ts. */

/** How GPUs are looked for and watched. The driver is `libcuda.so.1` and NVML is `libnvidia-ml.so.1`, as the loader finds them. */
export interface NativeGpuOptions {
  /** False: no driver is opened, everything runs on the CPU. */
  readonly allowed: boolean;
  /** NVIDIA_VISIBLE_DEVICES as the container runtime understands it; empty = all. */
  readonly visibleDevices: string;
  /** Such as 7.5; older GPUs are left out. */
  readonly minComputeCapability: number;
  /** Page-locked memory for inputs and outputs, in all; 0 = none. */
  readonly pinnedPoolBytes: number;
  /** Milliseconds between two readings of NVML. */
  readonly monitorIntervalMs: number;
  /** Milliseconds between two memory probes, and two canaries, of each GPU; 0 = none. */
  readonly probeIntervalMs: number;
  /** Device memory that a probe keeps and examines. */
  readonly probeBytes: number;
  /**
   * A batch on a GPU that takes longer than this, and than ten times the 99.9 % quantile of its model, counts as hung; three times that, and
   * the process aborts (134). Milliseconds; 0 = no watchdog.
   */
  readonly watchdogMs: number;
}

/** One usable GPU, as found at start. */
export interface NativeGpu {
  readonly uuid: string;
  readonly name: string;
  /** Position in this list, which `instance_group.gpus` means. */
  readonly index: number;
  readonly totalBytes: number;
  /** Such as "9.0". */
  readonly computeCapability: string;
  readonly mig: boolean;
}

export interface NativeGpuReport {
  /** "13.0"; empty without a driver. */
  readonly driverVersion: string;
  readonly gpus: readonly NativeGpu[];
  /** Why there is none: "no-device", "driver-mismatch", "fabric-not-ready", "device-revoked", "cuda-error"; empty when there is one. */
  readonly cause: string;
  /** The same in words. */
  readonly reason: string;
  /** For the log: devices that were left out. */
  readonly notes: readonly string[];
}

/** A GPU now. Reading it never calls the driver. What NVML does not give is -1. */
export interface NativeGpuState {
  readonly uuid: string;
  /** "sticky-error", "contained-memory-error", "gpu-hw", "device-lost"; empty while the context works. It stays. */
  readonly fatalCause: string;
  /** Such as "cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700)". */
  readonly fatalText: string;
  readonly outOfMemoryCount: number;
  /** Milliseconds since a batch or a canary last succeeded on it; -1 = none yet. */
  readonly lastBatchAgeMs: number;
  /** Milliseconds that its oldest batch has been running, when that is longer than the watchdog allows; 0 otherwise. */
  readonly hungMs: number;
  /**
   * The version whose batch that is, such as "digits version 2"; else the one whose batch broke the context, where it was the only one that
   * ran there. Empty = nobody can be named.
   */
  readonly suspectModel: string;
  readonly probe: NativeProbeState;
  readonly canary: NativeProbeState;
  /** Why NVML gives nothing; empty = it works. */
  readonly nvmlUnavailable: string;
  /** Milliseconds since NVML was last read; -1 = never. */
  readonly nvmlAgeMs: number;
  readonly utilization: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
  readonly powerWatts: number;
  readonly powerLimitWatts: number;
  readonly energyJoules: number;
  readonly temperatureCelsius: number;
  /** NVML's bits. */
  readonly throttleReasons: number;
  /** Thermal or hardware slowdown. */
  readonly throttled: boolean;
  readonly eccUncorrected: number;
  readonly eccCorrected: number;
  readonly remapPending: boolean;
  readonly remapFailed: boolean;
  readonly pcieRxBytesPerSecond: number;
  readonly pcieTxBytesPerSecond: number;
  /** 0 = none since the start. */
  readonly lastXid: number;
  /** The last 16 of them, oldest first: they come in bursts. */
  readonly recentXids: readonly number[];
  readonly xidCount: number;
  /** What the driver wants: 0 nothing, 1 reset, 2 reboot, 3 drain peers, 4 drain and reset. */
  readonly recoveryAction: number;
  readonly lost: boolean;
  /** The container has lost its devices. */
  readonly revoked: boolean;
  /** NVML works and knew it, but knows no GPU of that UUID any more: MIG was divided anew. */
  readonly gone: boolean;
}

/** Of the memory probe, or of the canaries of all models on a GPU. */
export interface NativeProbeState {
  readonly runs: number;
  readonly mismatches: number;
  /** In a row, up to now. */
  readonly consecutiveMismatches: number;
  /** Could not be done at all, in a row; `text` says why. */
  readonly consecutiveFailures: number;
  readonly text: string;
  /** Milliseconds since the last one; -1 = none yet. */
  readonly ageMs: number;
}
