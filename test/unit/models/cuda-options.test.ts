import { describe, expect, it } from 'vitest';
import { readModelConfig } from '../../../src/models/model-config.js';
import { parsePbtxt } from '../../../src/models/pbtxt.js';

const read = (text: string) => {
  const { config, warnings } = readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt');
  return { options: config.cudaOptions, warnings };
};
const parameter = (key: string, value: string): string => `parameters { key: "${key}" value { string_value: "${value}" } }`;
const accelerator = (...parameters: string[]): string =>
  `optimization { execution_accelerators { gpu_execution_accelerator [ { name: "cuda" ${parameters
    .map((text) => `parameters { key: "${text.split('=')[0]}" value: "${text.split('=')[1]}" }`)
    .join(' ')} } ] } }`;

describe('options of the CUDA provider', () => {
  it('search convolution algorithms by heuristics where nobody says otherwise', () => {
    expect(read('')).toEqual({ options: { cudnn_conv_algo_search: 'HEURISTIC' }, warnings: [] });
  });

  it.each([
    [parameter('cudnn_conv_algo_search', '0'), { cudnn_conv_algo_search: 'EXHAUSTIVE' }],
    [parameter('cudnn_conv_algo_search', '1'), { cudnn_conv_algo_search: 'HEURISTIC' }],
    [parameter('cudnn_conv_algo_search', '2'), { cudnn_conv_algo_search: 'DEFAULT' }],
    [parameter('arena_extend_strategy', '1'), { arena_extend_strategy: 'kSameAsRequested' }],
    [parameter('gpu_mem_limit', '18446744073709551615'), { gpu_mem_limit: '18446744073709551615' }],
    [accelerator('cudnn_conv_algo_search=DEFAULT'), { cudnn_conv_algo_search: 'DEFAULT' }],
    [accelerator('arena_extend_strategy=0', 'use_tf32=false'), { arena_extend_strategy: 'kNextPowerOfTwo', use_tf32: '0' }],
    [accelerator('prefer_nhwc=true', 'sdpa_kernel=16'), { prefer_nhwc: '1', sdpa_kernel: '16' }],
    [parameter('gpu_mem_limit', '5') + accelerator('gpu_mem_limit=6'), { gpu_mem_limit: '6' }],
  ])("are Triton's, in the provider's words: %s", (text, expected) => {
    const { options, warnings } = read(text);
    expect(options).toMatchObject(expected);
    expect(warnings).toEqual([]);
  });

  it('are read from JSON, too', () => {
    const cuda = { name: 'cuda', parameters: { use_tf32: '0' } };
    const tree = { optimization: { execution_accelerators: { gpu_execution_accelerator: [cuda] } } };
    expect(readModelConfig(tree, 'config.json').config.cudaOptions).toMatchObject({ use_tf32: '0' });
  });

  it.each([
    [parameter('cudnn_conv_algo_search', '3'), 'parameters["cudnn_conv_algo_search"].string_value: found "3", expected EXHAUSTIVE'],
    [parameter('gpu_mem_limit', '18446744073709551616'), 'parameters["gpu_mem_limit"].string_value: found "18446744073709551616"'],
    [parameter('gpu_mem_limit', '4GiB'), 'expected bytes from 1'],
    [accelerator('use_tf32=perhaps'), 'gpu_execution_accelerator[0].parameters["use_tf32"]: found "perhaps", expected "1" or "0"'],
    [
      accelerator('use_tf23=1'),
      'parameters["use_tf23"]: found "1", expected an option of the CUDA provider; fix: use one of gpu_mem_limit,',
    ],
    [accelerator('use_tf32=0', 'use_tf32=1'), 'expected each key once'],
  ])('that cannot be are refused: %s', (text, message) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_CONFIG', message: expect.stringContaining(message) as string }),
    );
  });

  it.each([
    [parameter('do_copy_in_default_stream', '0'), 'parameters["do_copy_in_default_stream"].string_value is ignored: the server copies'],
    [accelerator('device_id=1'), 'gpu_execution_accelerator[0].parameters["device_id"] is ignored: instance_group.gpus says'],
    [accelerator('enable_cuda_graph=1'), 'parameters["enable_cuda_graph"] is ignored: optimization.cuda.graphs asks for'],
    ['optimization { cuda { busy_wait_events: true } }', 'optimization.cuda.busy_wait_events is ignored'],
    [accelerator().replace('cuda', 'tensorrt'), 'gpu_execution_accelerator[0].name: "tensorrt" is ignored: on GPUs models run with'],
  ])('that are not for the configuration to set are passed over with a warning: %s', (text, warning) => {
    const { options, warnings } = read(text);
    expect(options).toEqual({ cudnn_conv_algo_search: 'HEURISTIC' });
    expect(warnings).toEqual([expect.stringContaining(warning)]);
  });

  it.each([
    ['', false],
    ['optimization { }', false],
    ['optimization { cuda { graphs: false } }', false],
    ['optimization { cuda { graphs: true } }', true],
    [accelerator('enable_cuda_graph=1'), false],
  ])('record CUDA graphs only where `graphs` says so: %s', (text, graphs) => {
    expect(readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt').config.cudaGraphs).toBe(graphs);
  });

  it('record CUDA graphs from JSON, too, without a warning', () => {
    const { config, warnings } = readModelConfig({ optimization: { cuda: { graphs: true } } }, 'config.json');
    expect(config.cudaGraphs).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('that are off need no warning', () => {
    expect(read('optimization { cuda { graphs: false } execution_accelerators { } }').warnings).toEqual([]);
  });
});
