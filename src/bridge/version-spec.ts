/** What the engine is told of a version that it is to make; read by native/bridge/version_spec.cc, field by field. */

export interface NativeApiTensor {
  readonly name: string;
  readonly dataType: number;
  /** With the batch dimension first (-1) when the version is batched. */
  readonly dims: readonly number[];
}

export interface NativeApiInput extends NativeApiTensor {
  /** Clients may leave it out. */
  readonly optional: boolean;
}

/** An input that clients send in a smaller type than the model wants (FP32): value * scale + offset, by channel. */
export interface NativeInputConversion {
  readonly input: string;
  /** Number of the type that clients send: UINT8, FP16 or FP32. */
  readonly from: number;
  /** One a channel, at least one; the numbers are rounded to 32-bit floats. */
  readonly scale: readonly number[];
  /** As many. */
  readonly offset: readonly number[];
  /** Elements that follow each other within one channel, >= 1. */
  readonly inner: number;
}

/** An input whose requests may differ in one dimension and share a batch: rows are padded behind to the longest. */
export interface NativePaddedInput {
  readonly input: string;
  /** The only open one beyond the batch dimension, which is 0. */
  readonly dim: number;
  /** The bytes of the element to pad with, as they lie in memory. */
  readonly value: readonly number[];
}

/** An output that is as long as the padded inputs, cut back to what each request sent. */
export interface NativeCutOutput {
  readonly output: string;
  /** Rising, never 0. */
  readonly dims: readonly number[];
}

export interface NativeVersionSpec {
  readonly modelName: string;
  readonly version: number;
  /** 0 = not batched. */
  readonly maxBatchSize: number;
  readonly inputs: readonly NativeApiInput[];
  readonly outputs: readonly NativeApiTensor[];
  /** Threads that run the model, >= 1. */
  readonly lanes: number;
  /** Lanes beyond the first are kept only where a measurement at load shows that they pay. */
  readonly lanesIfFaster: boolean;
  readonly batching: NativeBatching;
  /** Empty: only requests of equal shapes share a batch. */
  readonly paddedInputs: readonly NativePaddedInput[];
  readonly cutOutputs: readonly NativeCutOutput[];
  /** At most one an input; `inputs` has the types that they start from. */
  readonly conversions: readonly NativeInputConversion[];
}

/** Triton's ModelQueuePolicy. */
export interface NativeQueuePolicy {
  /** At its timeout a request ends (false) or steps behind the others of its level (true). */
  readonly delays: boolean;
  /** Microseconds of waiting; 0 = none. */
  readonly defaultTimeoutUs: number;
  readonly allowTimeoutOverride: boolean;
  /** 0 = only the bound of the whole queue. */
  readonly maxQueueSize: number;
}

/** Triton's `dynamic_batching`, the server's bounds, and the latency goal. */
export interface NativeBatching {
  /** Whether requests share a batch; `checked`: only where two different rows run together and apart agree. */
  readonly merge: 'never' | 'always' | 'checked';
  /** Rising. These or a delay: the configuration decides when a batch starts; otherwise the engine does. */
  readonly preferredBatchSizes: readonly number[];
  readonly maxQueueDelayUs: number;
  readonly preserveOrdering: boolean;
  /** 0 = one level. */
  readonly priorityLevels: number;
  readonly defaultPriorityLevel: number;
  readonly defaultQueuePolicy: NativeQueuePolicy;
  readonly priorityQueuePolicies: readonly { readonly level: number; readonly policy: NativeQueuePolicy }[];
  /** Milliseconds that a request without a deadline of its own may take; 0 = none. */
  readonly latencyGoalMs: number;
  /** Requests waiting, of all levels; 0 = unbounded. */
  readonly maxQueueSize: number;
  readonly maxQueueBytes: number;
}
