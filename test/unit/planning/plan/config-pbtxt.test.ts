import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readModelConfig, type ModelConfig } from '../../../../src/models/model-config.js';
import { parsePbtxt } from '../../../../src/models/pbtxt.js';
import { measuredConfig } from '../../../../src/planning/measure/model-under-test.js';
import { chosenConfig, configPbtxt } from '../../../../src/planning/plan/config-pbtxt.js';
import type { ServerSettings } from '../../../../src/planning/server-settings.js';

const SETTINGS: ServerSettings = { maxBatchSize: 16, lanes: 3, maxQueueDelayUs: null, cpuThreads: 2 };
const GOAL = { percentile: 99, latencyMs: 20 };

type Tree = Readonly<Record<string, unknown>>;

function written(config: Tree | null, settings = SETTINGS, goal = GOAL): { text: string; config: ModelConfig } {
  const text = configPbtxt('digits', config, settings, goal, ['of a plan', '']);
  const read = readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt');
  expect(read.warnings).toEqual([]);
  return { text, config: read.config };
}

const pbtxt = (text: string): Tree => parsePbtxt(text, 'given');
const digits = pbtxt(readFileSync('models/digits/config.pbtxt', 'utf8'));

describe('config.pbtxt of a plan', () => {
  it('has the chosen settings and the goal, and keeps all else of the model', () => {
    const { config } = written(digits);
    const given = readModelConfig(digits, 'given').config;
    expect(config).toEqual({
      ...given,
      maxBatchSize: 16,
      instanceGroups: [{ ...given.instanceGroups[0], count: 3 }],
      latencyGoalMs: 20,
    });
  });

  it('stands alone for a model without a configuration', () => {
    const { text } = written(null);
    expect(text).toBe(`# of a plan
#
name: "digits"
backend: "onnxruntime"
max_batch_size: 16
instance_group {
  count: 3
}
parameters {
  key: "latency_goal_ms"
  value {
    string_value: "20"
  }
}
`);
  });

  it('never vouches for rows by itself: no batcher where the model has none and no delay was found to help', () => {
    const tensor = { name: 'x', data_type: 'TYPE_FP32', dims: [4] };
    const whole = { max_batch_size: 8, input: [tensor], output: [{ ...tensor, name: 'y' }] };
    for (const given of [null, { max_batch_size: 8 }, whole]) {
      expect(written(given).config.batching).toBeUndefined();
      const choices = { shapes: new Map(), data: 'random', seed: 1, latencyGoalMs: 0 } as const;
      for (const settings of [SETTINGS, { ...SETTINGS, maxQueueDelayUs: 400 }]) {
        const chosen = chosenConfig('m', given, settings, GOAL)['dynamic_batching'];
        expect(chosen).toEqual(measuredConfig({ config: given, choices }, settings)['dynamic_batching']);
      }
    }
    expect(written(null, { ...SETTINGS, maxQueueDelayUs: 400 }).config.batching?.maxQueueDelayUs).toBe(400);
  });

  it('writes whole numbers that JSON has as texts without quotes', () => {
    const given = { dynamic_batching: { priority_levels: '2', default_priority_level: '1' } };
    expect(written(given).config.batching).toMatchObject({ priorityLevels: 2 });
  });

  it('replaces what says when a batch starts, and keeps what else a batcher has', () => {
    const given = pbtxt(`
      max_batch_size: 8
      dynamic_batching {
        preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 900 preserve_ordering: true priority_levels: 2 default_priority_level: 1
        priority_queue_policy { key: 2 value { timeout_action: DELAY max_queue_size: 7 } }
      }`);
    const byItself = written(given).config.batching;
    expect(byItself).toMatchObject({ preferredBatchSizes: [], maxQueueDelayUs: 0, preserveOrdering: true, priorityLevels: 2 });
    expect(byItself?.levelPolicies.get(2)).toMatchObject({ timeoutAction: 'DELAY', maxQueueSize: 7 });
    expect(written(given, { ...SETTINGS, maxQueueDelayUs: 500 }).config.batching?.maxQueueDelayUs).toBe(500);
  });

  it('has no batcher for a model that does not batch', () => {
    const { config } = written({}, { ...SETTINGS, maxBatchSize: 0 });
    expect(config).toMatchObject({ maxBatchSize: 0, batching: undefined });
  });

  it('replaces the latency goal and keeps other parameters, in the form of pbtxt and of JSON', () => {
    const scaling = '{"from":"TYPE_UINT8","scale":0.5}';
    const parameters = { 'input_conversion.image': { string_value: scaling }, latency_goal_ms: { string_value: '7' } };
    const json = { parameters, input: [{ name: 'image', data_type: 'TYPE_UINT8', dims: ['1', '8', '8'] }] };
    const inPbtxt = pbtxt(`
      parameters { key: "input_conversion.image" value { string_value: '${scaling}' } }
      parameters { key: "latency_goal_ms" value { string_value: "7" } }
      input { name: "image" data_type: TYPE_UINT8 dims: [ 1, 8, 8 ] }`);
    for (const given of [json, inPbtxt]) {
      const { config, text } = written(given, SETTINGS, { percentile: 99, latencyMs: 0.5 });
      expect(config.latencyGoalMs).toBe(0.5);
      expect(config.conversions).toMatchObject([{ input: 'image' }]);
      expect(text).toContain('dims: [ 1, 8, 8 ]');
    }
  });

  it('never vouches for padding by itself: with a batcher that the model does not have rows are not padded', () => {
    const choices = { shapes: new Map(), data: 'random', seed: 1, latencyGoalMs: 0 } as const;
    const padded = { pad_to_longest: { string_value: 'ids=0' }, latency_goal_ms: { string_value: '7' } };
    const delayed = { ...SETTINGS, maxQueueDelayUs: 500 };
    const inPbtxt = 'parameters { key: "pad_to_longest" value { string_value: "ids=0" } }';
    for (const given of [{ parameters: padded }, pbtxt(inPbtxt), pbtxt(`${inPbtxt} parameters { key: "k" value { string_value: "v" } }`)]) {
      expect(readModelConfig(chosenConfig('m', given, delayed, GOAL), 'chosen').config).toMatchObject({ padding: [], latencyGoalMs: 20 });
      expect(readModelConfig(measuredConfig({ config: given, choices }, delayed), 'measured').config.padding).toEqual([]);
      const own = { ...given, dynamic_batching: {} };
      for (const kept of [chosenConfig('m', own, delayed, GOAL), chosenConfig('m', given, SETTINGS, GOAL)])
        expect(readModelConfig(kept, 'kept').config.padding).toEqual([{ input: 'ids', value: '0' }]);
    }
  });

  it('has the precision that was chosen, beside what else it says of GPUs', () => {
    const json = {
      cuda: { graphs: true },
      execution_accelerators: { gpu_execution_accelerator: [{ name: 'cuda', parameters: { gpu_mem_limit: '5' } }] },
    };
    const inPbtxt = (more: string): Tree =>
      pbtxt(`optimization {
        cuda { graphs: true }
        execution_accelerators { gpu_execution_accelerator { name: "cuda" parameters { key: "gpu_mem_limit" value: "5" } ${more} } }
      }`);
    const ofParameters = (...parameters: unknown[]): Tree => ({
      optimization: {
        cuda: { graphs: true },
        execution_accelerators: { gpu_execution_accelerator: parameters.map((of) => ({ name: 'cuda', parameters: of })) },
      },
    });
    const given = [
      { optimization: json },
      ...[inPbtxt(''), inPbtxt('parameters { key: "use_tf32" value: "0" }')],
      ofParameters({ gpu_mem_limit: '5', use_tf32: '1' }),
      ofParameters([{ gpu_mem_limit: '5' }, { use_tf32: '1' }]),
      ofParameters({ gpu_mem_limit: '6', use_tf32: '1' }, { gpu_mem_limit: '5' }),
    ];
    for (const [precision, value] of [
      ['tf32', '1'],
      ['fp32', '0'],
    ] as const) {
      for (const one of given) {
        const { config } = written(one, { ...SETTINGS, precision });
        expect(config).toMatchObject({ cudaGraphs: true, cudaOptions: { gpu_mem_limit: '5', use_tf32: value } });
      }
      expect(written(null, { ...SETTINGS, precision }).config.cudaOptions).toMatchObject({ use_tf32: value });
    }
    expect(written(inPbtxt(''), SETTINGS).config.cudaOptions).not.toHaveProperty('use_tf32');
  });

  it('leaves the latency goal as the model has it where the plan allows many requests to be later', () => {
    const given = { parameters: { latency_goal_ms: { string_value: '7' } } };
    const goal = { percentile: 50, latencyMs: 20 };
    expect(written(given, SETTINGS, goal).config.latencyGoalMs).toBe(7);
    expect(written(null, SETTINGS, goal).config.latencyGoalMs).toBe(0);
  });

  it('takes priority policies and kinds of instances from JSON', () => {
    const batching = { priority_levels: 2, default_priority_level: 2, priority_queue_policy: { '1': { max_queue_size: 5 } } };
    const { config } = written({ dynamic_batching: batching, instance_group: [{ kind: 'KIND_CPU', count: 9 }, { count: 1 }] });
    expect(config.batching?.levelPolicies.get(1)?.maxQueueSize).toBe(5);
    expect(config.instanceGroups).toEqual([{ name: '', kind: 'KIND_CPU', count: 3, gpus: [] }]);
  });

  it('keeps texts with quotes, line ends and letters of any language', () => {
    const text = 'a "b" \\ \n\t\u0001 ä 数 🙂';
    const given = { parameters: { note: { string_value: text } } };
    const tree = parsePbtxt(configPbtxt('m', given, SETTINGS, GOAL, []), 'config.pbtxt');
    expect(tree['parameters']).toMatchObject([{ key: 'note', value: { string_value: text } }, { key: 'latency_goal_ms' }]);
  });
});
