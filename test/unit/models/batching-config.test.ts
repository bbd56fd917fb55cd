import { describe, expect, it } from 'vitest';
import type { NativeSignature } from '../../../src/bridge/control.js';
import { completeConfig, type CompleteConfig } from '../../../src/models/auto-config.js';
import { planBatching, queueLimit } from '../../../src/models/batching-plan.js';
import { DEFAULT_BATCHING } from '../../../src/models/batching-config.js';
import { readModelConfig, type ModelConfig } from '../../../src/models/model-config.js';
import { parsePbtxt } from '../../../src/models/pbtxt.js';
import { checkSignature } from '../../../src/models/signature-check.js';

function read(text: string): ModelConfig {
  return readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt').config;
}

/** `x` to `y`, with this first dimension. */
function file(first: number): NativeSignature {
  const tensor = (name: string): NativeSignature['inputs'][number] => ({
    name,
    dataType: 11,
    dims: [first, 2],
    symbolicDims: ['', ''],
    optional: false,
  });
  return { inputs: [tensor('x')], outputs: [tensor('y')], metadata: {} };
}

const TENSORS = 'input { name: "x" data_type: TYPE_FP32 dims: 2 } output { name: "y" data_type: TYPE_FP32 dims: 2 }';
const SERVER = { maxQueueSize: 100, maxQueueBytes: 1000 };

const complete = (text: string, first = -1): CompleteConfig => completeConfig(read(text), file(first));
const plan = (text: string): ReturnType<typeof planBatching> => planBatching(complete(text), 0, SERVER);
const faultsOf = (text: string, first = -1): string => {
  try {
    checkSignature(complete(text, first), file(first), 'config.pbtxt');
    return '';
  } catch (thrown) {
    return String(thrown);
  }
};

describe('the fields of dynamic_batching', () => {
  const EVERY = {
    preferredBatchSizes: [8, 4],
    maxQueueDelayUs: 100,
    preserveOrdering: true,
    priorityLevels: 2,
    defaultPriorityLevel: 1,
    defaultQueuePolicy: { timeoutAction: 'DELAY', defaultTimeoutUs: 5, allowTimeoutOverride: true, maxQueueSize: 6 },
    levelPolicies: new Map([[2, { timeoutAction: 'REJECT', defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 3 }]]),
  };

  it('are all read from pbtxt', () => {
    const { batching } = read(`dynamic_batching {
      preferred_batch_size: [ 8, 4 ] max_queue_delay_microseconds: 100 preserve_ordering: true
      priority_levels: 2 default_priority_level: 1
      default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 5 allow_timeout_override: true max_queue_size: 6 }
      priority_queue_policy { key: 2 value { max_queue_size: 3 } } }`);
    expect(batching).toEqual(EVERY);
  });

  it('are all read from JSON, numbers of 64 bits as numbers or text', () => {
    const dynamic_batching = {
      preferred_batch_size: [8, 4],
      max_queue_delay_microseconds: '100',
      preserve_ordering: true,
      priority_levels: 2,
      default_priority_level: '1',
      default_queue_policy: { timeout_action: 1, default_timeout_microseconds: 5, allow_timeout_override: true, max_queue_size: 6 },
      priority_queue_policy: { 2: { max_queue_size: 3 } },
    };
    expect(readModelConfig({ dynamic_batching }, 'config.json').config.batching).toEqual(EVERY);
  });

  it('have the defaults of Triton', () => {
    expect(read('dynamic_batching { }').batching).toEqual(DEFAULT_BATCHING);
    expect(read('').batching).toBeUndefined();
  });

  it('may name policies of several levels in pbtxt', () => {
    const { batching } = read(`dynamic_batching { priority_levels: 3 default_priority_level: 3
      priority_queue_policy [ { key: 1 value { max_queue_size: 1 } }, { key: 2 value { } } ] }`);
    expect([...(batching?.levelPolicies.keys() ?? [])]).toEqual([1, 2]);
  });

  it.each([
    ['preferred_batch_size: [ 4, 0 ]', 'preferred_batch_size[1]: found 0, expected a whole number from 1'],
    ['max_queue_delay_microseconds: -1', 'max_queue_delay_microseconds: found -1, expected a whole number from 0'],
    ['preserve_ordering: 1', 'preserve_ordering: found 1, expected true or false'],
    ['priority_levels: 1001', 'priority_levels: found 1001, expected a whole number from 0 to 1000'],
    ['priority_levels: 2', 'default_priority_level: found nothing, expected a level from 1 to 2'],
    ['priority_levels: 2 default_priority_level: 0', 'default_priority_level: found 0, expected a level from 1 to 2'],
    ['priority_levels: 2 default_priority_level: 3', 'default_priority_level: found 3, expected a level from 1 to 2'],
    ['default_priority_level: 1', 'default_priority_level: found 1, expected none, because priority_levels is 0'],
    ['default_queue_policy { timeout_action: WAIT }', 'default_queue_policy.timeout_action: found "WAIT", expected one of REJECT, DELAY'],
    ['default_queue_policy { default_timeout_microseconds: 1.5 }', 'default_queue_policy.default_timeout_microseconds: found 1.5'],
    ['default_queue_policy { allow_timeout_override: "yes" }', 'default_queue_policy.allow_timeout_override: found "yes"'],
    ['default_queue_policy { max_queue_size: 4294967296 }', 'default_queue_policy.max_queue_size: found 4294967296'],
    [
      'priority_queue_policy { key: 1 value { } }',
      'priority_queue_policy[1]: found the key 1, expected none, because priority_levels is 0',
    ],
    [
      'priority_levels: 1 default_priority_level: 1 priority_queue_policy { key: 2 value { } }',
      'priority_queue_policy[2]: found the key 2, expected keys from 1 to 1',
    ],
    [
      'priority_levels: 1 default_priority_level: 1 priority_queue_policy { key: 1 value { max_queue_size: -1 } }',
      'priority_queue_policy[1].max_queue_size: found -1',
    ],
    [
      'priority_levels: 1 default_priority_level: 1 priority_queue_policy [ { key: 1 }, { key: 1 } ]',
      'priority_queue_policy: found a list of 2, expected each key once',
    ],
    ['priority_queue_policy: 5', 'priority_queue_policy: found 5, expected messages of a key and a value'],
  ])('are refused where they are wrong: %s', (text, message) => {
    expect(() => read(`dynamic_batching { ${text} }`)).toThrow(`config.pbtxt: dynamic_batching.${message}`);
  });

  it('have all their faults named at once', () => {
    const text = 'dynamic_batching { preferred_batch_size: 0 priority_levels: 2 default_queue_policy { max_queue_size: -1 } }';
    for (const field of ['preferred_batch_size[0]', 'default_priority_level', 'default_queue_policy.max_queue_size']) {
      expect(() => read(text)).toThrow(`dynamic_batching.${field}: found`);
    }
  });

  it('are warned of where nobody knows them', () => {
    const tree = parsePbtxt('dynamic_batching { max_queue_delay: 5 default_queue_policy { timeout: 1 } }', 'config.pbtxt');
    expect(readModelConfig(tree, 'config.pbtxt').warnings).toEqual([
      expect.stringContaining('dynamic_batching.default_queue_policy.timeout is not a field'),
      expect.stringContaining('dynamic_batching.max_queue_delay is not a field'),
    ]);
  });
});

describe('the latency goal', () => {
  const goal = (text: string): string => `parameters { key: "latency_goal_ms" value { string_value: "${text}" } }`;

  it.each([
    ['50', 50],
    ['0.5', 0.5],
  ])('is the parameter latency_goal_ms: %s', (text, milliseconds) => {
    expect(read(goal(text)).latencyGoalMs).toBe(milliseconds);
    expect(readModelConfig({ parameters: { latency_goal_ms: { string_value: text } } }, 'config.json').config.latencyGoalMs).toBe(
      milliseconds,
    );
  });

  it.each(['0', '-5', 'fast', '', '1e3', '86400001'])('is refused unless it is a number above 0: %s', (text) => {
    expect(() => read(goal(text))).toThrow(
      `config.pbtxt: parameters["latency_goal_ms"].string_value: found "${text}", expected milliseconds above 0`,
    );
  });

  it('stands among parameters of other servers, which are passed over', () => {
    const tree = parsePbtxt(`${goal('5')} parameters { key: "enable_mem_arena" value { string_value: "1" } }`, 'config.pbtxt');
    const { config, warnings } = readModelConfig(tree, 'config.pbtxt');
    expect(config.latencyGoalMs).toBe(5);
    expect(warnings).toEqual([expect.stringContaining('parameters["enable_mem_arena"].string_value is ignored')]);
  });
});

describe('whether requests share batches', () => {
  it.each([
    ['always, where the configuration says so', 'dynamic_batching { }', -1, 'always'],
    ['always, also where it says everything else', `max_batch_size: 4 dynamic_batching { } ${TENSORS}`, -1, 'always'],
    ['after a check, where there is no configuration', '', -1, 'checked'],
    ['after a check, where the configuration leaves tensors out', 'max_batch_size: 4 input { name: "x" }', -1, 'checked'],
    ['never, where a complete configuration does not ask for it', `max_batch_size: 4 ${TENSORS}`, -1, 'never'],
    ['never, where batches have one row', 'max_batch_size: 1', -1, 'never'],
    ['never, where the model takes no batches', '', 3, 'never'],
  ])('%s', (_when, text, first, merge) => {
    expect(complete(text, first).merge).toBe(merge);
  });

  it('is a fault to ask for where the model takes no batches', () => {
    expect(faultsOf('dynamic_batching { }', 3)).toContain('dynamic_batching: found a message, expected none, because max_batch_size is 0');
    expect(faultsOf('max_batch_size: 1 dynamic_batching { }')).toBe('');
  });

  it('is a fault to prefer in sizes that the model does not take, each of them', () => {
    const faults = faultsOf('max_batch_size: 4 input { name: "z" } dynamic_batching { preferred_batch_size: [ 5, 4, 9 ] }');
    expect(faults).toContain('dynamic_batching.preferred_batch_size[0]: found 5, expected a size from 1 to 4');
    expect(faults).toContain('dynamic_batching.preferred_batch_size[2]: found 9, expected a size from 1 to 4');
    expect(faults).toContain('input[0].name: found "z"');
    expect(faults).not.toContain('preferred_batch_size[1]');
  });
});

describe('what the engine is told', () => {
  it('has preferred sizes rising, each once', () => {
    expect(plan('max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 8, 2, 8 ] }').preferredBatchSizes).toEqual([2, 8]);
  });

  it('has no preferred size where only the largest batch is preferred, which is what Triton fills in', () => {
    expect(plan('max_batch_size: 8 dynamic_batching { preferred_batch_size: 8 }').preferredBatchSizes).toEqual([]);
  });

  it('has timeout actions and levels', () => {
    const text = `dynamic_batching { priority_levels: 2 default_priority_level: 2
      priority_queue_policy { key: 1 value { timeout_action: DELAY default_timeout_microseconds: 7 } } }`;
    expect(plan(text)).toMatchObject({
      merge: 'always',
      priorityLevels: 2,
      defaultPriorityLevel: 2,
      defaultQueuePolicy: { delays: false },
      priorityQueuePolicies: [{ level: 1, policy: { delays: true, defaultTimeoutUs: 7, allowTimeoutOverride: false, maxQueueSize: 0 } }],
    });
  });

  const levels = (policies: string): string => `dynamic_batching { priority_levels: 2 default_priority_level: 1 ${policies} }`;
  it.each([
    ["the server's, where the configuration gives none", 'dynamic_batching { }', 100, 100],
    ["the configuration's, where it gives one", 'dynamic_batching { default_queue_policy { max_queue_size: 7 } }', 0, 7],
    ["the configuration's, where every level has one", levels('default_queue_policy { max_queue_size: 7 }'), 0, 14],
    [
      "the configuration's, where each level has its own",
      levels('default_queue_policy { max_queue_size: 7 } priority_queue_policy { key: 1 value { max_queue_size: 5 } }'),
      0,
      12,
    ],
    [
      "the server's, where a level has none",
      levels('default_queue_policy { max_queue_size: 7 } priority_queue_policy { key: 1 value { } }'),
      100,
      100,
    ],
    ["the server's, where only one level has one", levels('priority_queue_policy { key: 1 value { max_queue_size: 7 } }'), 100, 100],
  ])('has a bound of the whole queue: %s', (_which, text, maxQueueSize, limit) => {
    expect(plan(text)).toMatchObject({ maxQueueSize, maxQueueBytes: 1000 });
    expect(queueLimit(plan(text))).toBe(limit);
  });

  it('has none where nobody gives a bound', () => {
    expect(queueLimit(planBatching(complete('dynamic_batching { }'), 0, { maxQueueSize: 0, maxQueueBytes: 0 }))).toBe(0);
  });
});
