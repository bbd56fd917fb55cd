/** What a plan chooses between: the settings that decide how fast a server is with a model. */

export interface ServerSettings {
  /** `max_batch_size`; 0 = the model does not batch. */
  readonly maxBatchSize: number;
  /** `instance_group.count`. */
  readonly lanes: number;
  /** `max_queue_delay_microseconds`; null = the server decides itself when a batch starts. */
  readonly maxQueueDelayUs: number | null;
  /** `--cpu-threads`: of one run, on the CPU. */
  readonly cpuThreads: number;
}

/** The same text for the same settings: names runs on disk and cells in tables. */
export function settingsName({ maxBatchSize, lanes, maxQueueDelayUs, cpuThreads }: ServerSettings): string {
  const delay = maxQueueDelayUs === null ? '' : `-d${maxQueueDelayUs}us`;
  return `b${maxBatchSize}-l${lanes}-t${cpuThreads}${delay}`;
}
