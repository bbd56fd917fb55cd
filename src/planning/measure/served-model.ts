/** What a measured server says of the model that it runs: how it batches, and on which devices. */
import { gpuNames } from './machine.js';

/** Where runs go. `gpus`: the name of each, as many as one server uses. */
export type Placement = { readonly kind: 'cpu' } | { readonly kind: 'gpu'; readonly gpus: readonly string[] };

export interface Served {
  /** 0 = not batched. */
  readonly maxBatchSize: number;
  /** On all devices. */
  readonly lanes: number;
  /** Requests share batches: because the configuration says that they may, or because the server found that rows are independent. */
  readonly merges: boolean;
  readonly placement: Placement;
}

interface ConfigDocument {
  readonly max_batch_size?: number;
  readonly dynamic_batching?: unknown;
  readonly instance_group?: readonly { readonly kind?: string; readonly count?: number; readonly gpus?: readonly number[] }[];
}

/** `document`: /v2/models/M/config. `installed`: the GPUs of the machine, by name. */
export function readServed(document: unknown, installed: readonly string[] = gpuNames()): Served {
  const { max_batch_size: maxBatchSize = 0, dynamic_batching: batching, instance_group: groups = [] } = document as ConfigDocument;
  const gpus = [...new Set(groups.flatMap((group) => (group.kind === 'KIND_GPU' ? (group.gpus ?? []) : [])))].sort((a, b) => a - b);
  const lanes = groups.reduce((sum, { count = 0, gpus: of = [] }) => sum + count * Math.max(1, of.length), 0);
  return {
    maxBatchSize,
    lanes: Math.max(1, lanes),
    merges: batching !== undefined,
    placement: gpus.length === 0 ? { kind: 'cpu' } : { kind: 'gpu', gpus: gpus.map((index) => nameOf(index, installed)) },
  };
}

/** Indices count what the server may use, which need not be all that the machine has: with several kinds, it is not known which one it is. */
function nameOf(index: number, installed: readonly string[]): string {
  const kinds = [...new Set(installed)];
  return kinds.length === 1 ? (kinds[0] ?? '') : `GPU ${index}`;
}
