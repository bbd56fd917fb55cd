/** Triton's `dynamic_batching`, read out of a configuration and written into the document that clients see. */
import type { ConfigReader } from './config-reader.js';

const TIMEOUT_ACTIONS = ['REJECT', 'DELAY'] as const;

/** What happens to requests that wait. */
export interface QueuePolicy {
  readonly timeoutAction: (typeof TIMEOUT_ACTIONS)[number];
  /** Microseconds of waiting; 0 = no limit. */
  readonly defaultTimeoutUs: number;
  readonly allowTimeoutOverride: boolean;
  /** Requests of one priority level; 0 = no limit of its own. */
  readonly maxQueueSize: number;
}

export interface DynamicBatching {
  /** Rows; as the configuration has them, in any order. */
  readonly preferredBatchSizes: readonly number[];
  readonly maxQueueDelayUs: number;
  readonly preserveOrdering: boolean;
  /** 0 = requests have no priorities. */
  readonly priorityLevels: number;
  /** 1..priorityLevels, 1 = first; 0 when there are none. */
  readonly defaultPriorityLevel: number;
  readonly defaultQueuePolicy: QueuePolicy;
  /** Of levels that differ from the default. */
  readonly levelPolicies: ReadonlyMap<number, QueuePolicy>;
}

const MAX_INT32 = 2 ** 31 - 1;
const MAX_UINT32 = 2 ** 32 - 1;
/** A year: far more than anybody waits, and exact as nanoseconds. */
const MAX_MICROSECONDS = 365 * 24 * 3600 * 1_000_000;
/** The queue keeps something for each. */
const MAX_PRIORITY_LEVELS = 1000;

const DEFAULT_POLICY: QueuePolicy = { timeoutAction: 'REJECT', defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 0 };

/** What an empty `dynamic_batching { }` says. */
export const DEFAULT_BATCHING: DynamicBatching = {
  preferredBatchSizes: [],
  maxQueueDelayUs: 0,
  preserveOrdering: false,
  priorityLevels: 0,
  defaultPriorityLevel: 0,
  defaultQueuePolicy: DEFAULT_POLICY,
  levelPolicies: new Map(),
};

/** Whether `max_batch_size` allows what is asked for is checked once it is known, by signature-check.ts. */
export function readDynamicBatching(reader: ConfigReader): DynamicBatching {
  const levels = reader.integer('priority_levels', 0, MAX_PRIORITY_LEVELS) ?? 0;
  const policy = reader.message('default_queue_policy');
  const batching = {
    preferredBatchSizes: reader.integers('preferred_batch_size', 1, MAX_INT32) ?? [],
    maxQueueDelayUs: reader.integer('max_queue_delay_microseconds', 0, MAX_MICROSECONDS) ?? 0,
    preserveOrdering: reader.flag('preserve_ordering'),
    priorityLevels: levels,
    defaultPriorityLevel: readDefaultLevel(reader, levels),
    defaultQueuePolicy: policy === undefined ? DEFAULT_POLICY : readPolicy(policy),
    levelPolicies: readLevelPolicies(reader, levels),
  };
  reader.finish();
  return batching;
}

function readDefaultLevel(reader: ConfigReader, levels: number): number {
  const level = reader.integer('default_priority_level', 0, MAX_PRIORITY_LEVELS);
  if (level === undefined && reader.has('default_priority_level')) return 0; // It has been complained about.
  if (levels === 0) {
    if (level) reader.fault('default_priority_level', 'none, because priority_levels is 0', 'set priority_levels, or remove it');
    return 0;
  }
  if (!level || level > levels) {
    const expected = `a level from 1 to ${levels}, as priority_levels is ${levels}`;
    reader.fault('default_priority_level', expected, 'write the level of requests that ask for none');
  }
  return level ?? 0;
}

function readPolicy(reader: ConfigReader): QueuePolicy {
  const policy = {
    timeoutAction: reader.choice('timeout_action', TIMEOUT_ACTIONS) ?? 'REJECT',
    defaultTimeoutUs: reader.integer('default_timeout_microseconds', 0, MAX_MICROSECONDS) ?? 0,
    allowTimeoutOverride: reader.flag('allow_timeout_override'),
    maxQueueSize: reader.integer('max_queue_size', 0, MAX_UINT32) ?? 0,
  };
  reader.finish();
  return policy;
}

function readLevelPolicies(reader: ConfigReader, levels: number): ReadonlyMap<number, QueuePolicy> {
  const policies = new Map<number, QueuePolicy>();
  for (const [key, policy] of reader.map('priority_queue_policy')) {
    const level = /^\d+$/.test(key) ? Number(key) : 0;
    if (level < 1 || level > levels) {
      const expected = levels === 0 ? 'none, because priority_levels is 0' : `keys from 1 to ${levels}, as priority_levels is ${levels}`;
      policy.faultOfItself(`the key ${key}`, expected, 'give the policy of a level that there is');
    }
    policies.set(level, readPolicy(policy));
  }
  return policies;
}

/** As the config route answers it, every default filled in as Triton does. */
export function batchingDocument(batching: DynamicBatching, maxBatchSize: number): object {
  const { preferredBatchSizes, levelPolicies } = batching;
  return {
    preferred_batch_size: preferredBatchSizes.length > 0 ? preferredBatchSizes : [maxBatchSize],
    max_queue_delay_microseconds: batching.maxQueueDelayUs,
    preserve_ordering: batching.preserveOrdering,
    priority_levels: batching.priorityLevels,
    default_priority_level: batching.defaultPriorityLevel,
    default_queue_policy: policyDocument(batching.defaultQueuePolicy),
    priority_queue_policy: Object.fromEntries([...levelPolicies].map(([level, policy]) => [level, policyDocument(policy)])),
  };
}

function policyDocument(policy: QueuePolicy): object {
  return {
    timeout_action: policy.timeoutAction,
    default_timeout_microseconds: policy.defaultTimeoutUs,
    allow_timeout_override: policy.allowTimeoutOverride,
    max_queue_size: policy.maxQueueSize,
  };
}
