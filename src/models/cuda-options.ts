/**
 * What a configuration says about running on GPUs, by Triton's names, in the words of ONNX Runtime's CUDA provider.
 *
 * Triton has two places: `parameters` (old, with numbers for words: github.com/triton-inference-server/onnxruntime_backend, README,
 * "Deprecated Parameters") and a `gpu_execution_accelerator` called "cuda", whose parameters are the provider's own options
 * (onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html). Both forms of a value are understood in both places.
 */
import type { ConfigReader } from './config-reader.js';
import { shown } from './config-fault.js';

/** Names and values as the provider has them. */
export type CudaOptions = Readonly<Record<string, string>>;

/** Where nobody says otherwise: the provider's own default tries every algorithm for every new shape, which takes seconds each. */
export const DEFAULT_CUDA_OPTIONS: CudaOptions = { cudnn_conv_algo_search: 'HEURISTIC' };

interface OptionKind {
  readonly expected: string;
  /** The provider's word for a value; undefined = not a value. */
  readonly read: (text: string) => string | undefined;
}

/** The provider's words in the order of Triton's numbers. */
const oneOf = (...words: readonly string[]): OptionKind => ({
  expected: `${words.join(', ')}, or a number from 0 to ${words.length - 1}`,
  read: (text) => words.find((word) => word === text) ?? (/^\d$/.test(text) ? words[Number(text)] : undefined),
});

const FLAG: OptionKind = {
  expected: '"1" or "0", "true" or "false"',
  read: (text) => (/^(1|true)$/i.test(text) ? '1' : /^(0|false)$/i.test(text) ? '0' : undefined),
};

const MAX_SIZE = 2n ** 64n - 1n;

const BYTES: OptionKind = {
  expected: `bytes from 1 to ${MAX_SIZE}, as digits`,
  read: (text) => (/^\d{1,20}$/.test(text) && BigInt(text) >= 1n && BigInt(text) <= MAX_SIZE ? text : undefined),
};

const WHOLE: OptionKind = { expected: 'a whole number', read: (text) => (/^\d{1,9}$/.test(text) ? text : undefined) };

/** Those of `parameters`. */
const OLD_NAMES: readonly string[] = ['cudnn_conv_algo_search', 'gpu_mem_limit', 'arena_extend_strategy'];

const KINDS: Readonly<Record<string, OptionKind>> = {
  gpu_mem_limit: BYTES,
  arena_extend_strategy: oneOf('kNextPowerOfTwo', 'kSameAsRequested'),
  cudnn_conv_algo_search: oneOf('EXHAUSTIVE', 'HEURISTIC', 'DEFAULT'),
  cudnn_conv_use_max_workspace: FLAG,
  cudnn_conv1d_pad_to_nc1d: FLAG,
  use_tf32: FLAG,
  prefer_nhwc: FLAG,
  fuse_conv_bias: FLAG,
  enable_skip_layer_norm_strict_mode: FLAG,
  sdpa_kernel: WHOLE,
  tunable_op_enable: FLAG,
  tunable_op_tuning_enable: FLAG,
  tunable_op_max_tuning_duration_ms: WHOLE,
};

/** Options that are this server's to set, and why. */
const OURS: Readonly<Record<string, string>> = {
  device_id: 'instance_group.gpus says which GPUs are used',
  user_compute_stream: 'the server has streams of its own',
  has_user_compute_stream: 'the server has streams of its own',
  do_copy_in_default_stream: 'the server copies on streams of its own',
  use_ep_level_unified_stream: 'the server copies on streams of its own',
  enable_cuda_graph: 'optimization.cuda.graphs asks for CUDA graphs',
};

/** A parameter of the model by the name `key`: whether it is one for GPUs. Then it is read into `options`. */
export function readCudaParameter(key: string, parameter: ConfigReader, options: Record<string, string>): boolean {
  if (key === 'do_copy_in_default_stream') parameter.ignoreBecause('string_value', OURS[key] ?? '');
  else if (!OLD_NAMES.includes(key)) return false;
  else {
    const text = parameter.text('string_value');
    const value = KINDS[key]?.read(text);
    if (value === undefined) parameter.fault('string_value', KINDS[key]?.expected ?? '', 'correct it, or remove the parameter');
    else options[key] = value;
  }
  return true;
}

/** The parts of `optimization` that are about GPUs. What they say goes before what `parameters` say. Returns whether it wants CUDA graphs. */
export function readGpuOptimization(optimization: ConfigReader, options: Record<string, string>): boolean {
  const cuda = optimization.message('cuda');
  const graphs = cuda?.flag('graphs') ?? false;
  cuda?.ignore('busy_wait_events', 'graph_spec', 'output_copy_stream');
  cuda?.finish();
  const accelerators = optimization.message('execution_accelerators');
  accelerators?.ignore('cpu_execution_accelerator');
  for (const accelerator of accelerators?.messages('gpu_execution_accelerator') ?? []) readAccelerator(accelerator, options);
  accelerators?.finish();
  return graphs;
}

function readAccelerator(accelerator: ConfigReader, options: Record<string, string>): void {
  const name = accelerator.text('name');
  accelerator.accept('parameters');
  if (name === 'cuda') {
    for (const [key, text] of accelerator.textMap('parameters')) readProviderOption(accelerator, key, text, options);
  } else {
    accelerator.warn(`${accelerator.pathOf('name')}: ${shown(name)} is ignored: on GPUs models run with ONNX Runtime's CUDA provider`);
  }
  accelerator.finish();
}

function readProviderOption(accelerator: ConfigReader, key: string, text: string, options: Record<string, string>): void {
  const field = `parameters[${shown(key)}]`;
  const ours = OURS[key];
  const kind = KINDS[key];
  if (ours !== undefined) accelerator.warn(`${accelerator.pathOf(field)} is ignored: ${ours}`);
  else if (kind === undefined) {
    accelerator.faultOf(field, shown(text), 'an option of the CUDA provider', `use one of ${Object.keys(KINDS).join(', ')}`);
  } else {
    const value = kind.read(text);
    if (value === undefined) accelerator.faultOf(field, shown(text), kind.expected, 'correct it, or remove the parameter');
    else options[key] = value;
  }
}

/** As the config route answers it, for a model on GPUs: every option that the provider is given. */
export function gpuOptimizationDocument(options: CudaOptions, graphs: boolean): object {
  const accelerator = { name: 'cuda', parameters: options };
  return {
    ...(graphs ? { cuda: { graphs, busy_wait_events: false, graph_spec: [], output_copy_stream: false } } : {}),
    execution_accelerators: { gpu_execution_accelerator: [accelerator], cpu_execution_accelerator: [] },
  };
}
