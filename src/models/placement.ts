/** Whether the groups of a model run on the CPU or on GPUs, and on which of them. */
import type { NativeGpuReport } from '../bridge/control.js';
import { ServerError } from '../errors.js';
import { configError } from './config-fault.js';
import type { InstanceGroup } from './model-config.js';

/** The GPUs of the process, or why there is none. */
export type UsableGpus = Pick<NativeGpuReport, 'gpus' | 'reason'>;

export const NO_GPUS: UsableGpus = { gpus: [], reason: '' };

export interface PlacedGroup {
  /** As the configuration has it. */
  readonly name: string;
  readonly count: number;
  readonly kind: 'KIND_CPU' | 'KIND_GPU';
  /** Positions in the list of usable GPUs, rising; empty on the CPU. */
  readonly gpus: readonly number[];
}

/** `groups` is not empty. `source` names the file. Throws ERR_GPU_UNAVAILABLE and ERR_MODEL_CONFIG. */
export function placeGroups(groups: readonly InstanceGroup[], usable: UsableGpus, source: string): readonly PlacedGroup[] {
  const placed = groups.map((group, i) => placeGroup(group, `instance_group[${i}]`, usable, source));
  const kinds = [...new Set(placed.map(({ kind }) => kind))];
  if (kinds.length > 1) {
    const fix = 'give every group the same kind; KIND_AUTO means GPUs here';
    throw configError(source, [{ field: 'instance_group', found: kinds.join(' and '), expected: 'groups of one kind', fix }]);
  }
  return placed;
}

/** Whether the answer depends on the GPUs that there are. */
export function mayUseGpus(groups: readonly InstanceGroup[]): boolean {
  return groups.length === 0 || groups.some(({ kind }) => kind !== 'KIND_CPU');
}

/** Without a group, or with groups that leave it to the server, a model that cannot run on GPUs may run on the CPU. */
export function insistsOnGpus(groups: readonly InstanceGroup[]): boolean {
  return groups.some(({ kind }) => kind === 'KIND_GPU');
}

function placeGroup(group: InstanceGroup, field: string, { gpus, reason }: UsableGpus, source: string): PlacedGroup {
  const { name, count, kind } = group;
  if (gpus.length === 0 && kind === 'KIND_GPU') {
    throw new ServerError('ERR_GPU_UNAVAILABLE', `${source}: ${field}.kind: KIND_GPU, but no GPU can be used: ${reason}`);
  }
  if (gpus.length === 0 || kind === 'KIND_CPU') return { name, count, kind: 'KIND_CPU', gpus: [] };
  const faults = group.gpus.flatMap((index, i) => {
    if (index < gpus.length) return [];
    const expected = `an index from 0 to ${gpus.length - 1}: this process has ${gpus.length} usable GPU${gpus.length === 1 ? '' : 's'}`;
    return [{ field: `${field}.gpus[${i}]`, found: String(index), expected, fix: 'name GPUs that are there, or none for all of them' }];
  });
  if (faults.length > 0) throw configError(source, faults);
  const chosen = group.gpus.length > 0 ? [...new Set(group.gpus)].sort((a, b) => a - b) : gpus.map(({ index }) => index);
  return { name, count, kind: 'KIND_GPU', gpus: chosen };
}
