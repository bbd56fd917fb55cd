/** Native counters in the words of the statistics extension (protocol.md 4.1). The same object serves HTTP (as JSON) and gRPC. */
import type { NativeDuration, NativeStatistics } from '../bridge/addon.js';

export interface StatisticsDocument {
  readonly model_stats: readonly ModelStatistics[];
}

interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since 1970; 0 = never. */
  readonly last_inference: number;
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: Readonly<Record<string, NativeDuration>>;
  /** Only decoupled models fill it; there are none. */
  readonly response_stats: Readonly<Record<string, never>>;
  readonly batch_stats: readonly {
    readonly batch_size: number;
    readonly compute_input: NativeDuration;
    readonly compute_infer: NativeDuration;
    readonly compute_output: NativeDuration;
  }[];
  /** `type`: CPU, CPU_PINNED or GPU; `id`: index of the GPU, 0 otherwise. Empty where it is not known, as on the CPU alone. */
  readonly memory_usage: readonly { readonly type: string; readonly id: number; readonly byte_size: number }[];
}

/** There is no response cache; its fields are part of the message all the same. */
const NEVER: NativeDuration = { count: 0, ns: 0 };

export function statisticsDocument(statistics: readonly NativeStatistics[]): StatisticsDocument {
  return { model_stats: statistics.map(modelStatistics) };
}

function modelStatistics(counters: NativeStatistics): ModelStatistics {
  return {
    name: counters.model,
    version: String(counters.version),
    last_inference: counters.lastInferenceMs,
    inference_count: counters.inferenceCount,
    execution_count: counters.executionCount,
    inference_stats: {
      success: counters.success,
      fail: counters.fail,
      queue: counters.queue,
      compute_input: counters.computeInput,
      compute_infer: counters.computeInfer,
      compute_output: counters.computeOutput,
      cache_hit: NEVER,
      cache_miss: NEVER,
    },
    response_stats: {},
    batch_stats: counters.batches.map((batch) => ({
      batch_size: batch.batchSize,
      compute_input: batch.computeInput,
      compute_infer: batch.computeInfer,
      compute_output: batch.computeOutput,
    })),
    memory_usage: counters.memory.map(({ kind, id, bytes }) => ({ type: kind, id, byte_size: bytes })),
  };
}
