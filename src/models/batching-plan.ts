/** From what a configuration says about batching to what the engine is told. */
import type { NativeBatching, NativeQueuePolicy } from '../bridge/control.js';
import type { CompleteConfig } from './auto-config.js';
import type { DynamicBatching, QueuePolicy } from './batching-config.js';

/** What the whole queue of a version may hold; 0 = unbounded. */
export interface QueueBounds {
  readonly maxQueueSize: number;
  readonly maxQueueBytes: number;
}

/** `bounds` are the server's. Its number of requests applies unless the configuration bounds every priority level. */
export function planBatching(config: CompleteConfig, latencyGoalMs: number, bounds: QueueBounds): NativeBatching {
  const { batching, merge, maxBatchSize } = config;
  return {
    merge,
    preferredBatchSizes: preferredSizes(batching, maxBatchSize),
    maxQueueDelayUs: batching.maxQueueDelayUs,
    preserveOrdering: batching.preserveOrdering,
    priorityLevels: batching.priorityLevels,
    defaultPriorityLevel: batching.defaultPriorityLevel,
    defaultQueuePolicy: nativePolicy(batching.defaultQueuePolicy),
    priorityQueuePolicies: [...batching.levelPolicies].map(([level, policy]) => ({ level, policy: nativePolicy(policy) })),
    latencyGoalMs,
    maxQueueSize: everyLevelIsBounded(batching) ? 0 : bounds.maxQueueSize,
    maxQueueBytes: bounds.maxQueueBytes,
  };
}

/** Requests that may wait for the version, at all priority levels together; 0 = unbounded. */
export function queueLimit({ maxQueueSize, priorityLevels, defaultQueuePolicy, priorityQueuePolicies }: NativeBatching): number {
  if (maxQueueSize > 0) return maxQueueSize;
  const own = priorityQueuePolicies.map(({ policy }) => policy);
  const others = Array<NativeQueuePolicy>(Math.max(1, priorityLevels) - own.length).fill(defaultQueuePolicy);
  const limits = [...own, ...others].map((policy) => policy.maxQueueSize);
  return limits.includes(0) ? 0 : limits.reduce((sum, limit) => sum + limit, 0);
}

/** Rising, each once. Nothing but the largest batch is what Triton fills in where nothing is said, so it says nothing. */
function preferredSizes({ preferredBatchSizes }: DynamicBatching, maxBatchSize: number): readonly number[] {
  const sizes = [...new Set(preferredBatchSizes)].sort((a, b) => a - b);
  return sizes.length === 1 && sizes[0] === maxBatchSize ? [] : sizes;
}

function everyLevelIsBounded({ priorityLevels, defaultQueuePolicy, levelPolicies }: DynamicBatching): boolean {
  const own = [...levelPolicies.values()];
  const usesDefault = own.length < Math.max(1, priorityLevels);
  return own.every(({ maxQueueSize }) => maxQueueSize > 0) && (!usesDefault || defaultQueuePolicy.maxQueueSize > 0);
}

function nativePolicy({ timeoutAction, ...policy }: QueuePolicy): NativeQueuePolicy {
  return { delays: timeoutAction === 'DELAY', ...policy };
}
