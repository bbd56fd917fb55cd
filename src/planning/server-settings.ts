/** What a plan chooses between: the settings that decide how fast a server is with a model. */

/** How a GPU multiplies 32-bit floats: with the mantissas of TF32 or whole (`use_tf32` of ONNX Runtime's CUDA provider). */
export const PRECISIONS = ['tf32', 'fp32'] as const;
export type Precision = (typeof PRECISIONS)[number];

export interface ServerSettings {
  /** `max_batch_size`; 0 = the model does not batch. */
  readonly maxBatchSize: number;
  /** `instance_group.count`. */
  readonly lanes: number;
  /** `max_queue_delay_microseconds`; null = the server decides itself when a batch starts. */
  readonly maxQueueDelayUs: number | null;
  /** `--cpu-threads`: of one run, on the CPU. */
  readonly cpuThreads: number;
  /** Left out: as the model's configuration has it. */
  readonly precision?: Precision;
}

/** The same text for the same settings: names runs on disk and cells in tables. */
export function settingsName(settings: ServerSettings): string {
  const { maxBatchSize, lanes, maxQueueDelayUs } = settings;
  const delay = maxQueueDelayUs === null ? '' : `-d${maxQueueDelayUs}us`;
  return `b${maxBatchSize}-l${lanes}-${runKind(settings)}${delay}`;
}

/** The same text for settings under which a run of the same rows takes as long. */
export function runKind({ cpuThreads, precision }: ServerSettings): string {
  return `t${cpuThreads}${precision === undefined ? '' : `-${precision}`}`;
}
