/** How many runs of a version go on at one time, and on which devices. */
import { configError } from './config-fault.js';
import { MAX_INSTANCES, type InstanceGroup } from './model-config.js';
import { placeGroups, type PlacedGroup, type UsableGpus } from './placement.js';

export interface LanePlan {
  /** The groups as they will run, with names, kinds, counts (of each GPU) and GPUs filled in. */
  readonly groups: readonly PlacedGroup[];
  /** UUIDs of the GPUs that they run on, as many lanes on each; empty = the CPU. */
  readonly gpus: readonly string[];
  readonly lanes: number;
  /** Nobody has asked for that many: the engine may find that one does as much. */
  readonly lanesIfFaster: boolean;
  readonly warnings: readonly string[];
}

/** What stands for a group that gives no count, and for no group at all; both >= 1. */
export interface DefaultLanes {
  readonly cpu: number;
  /** Of each GPU. */
  readonly gpu: number;
}

const ANY_DEVICE: InstanceGroup = { name: '', count: 0, kind: 'KIND_AUTO', gpus: [] };

/** `source` names the configuration file. Throws ERR_GPU_UNAVAILABLE and ERR_MODEL_CONFIG. */
export function planLanes(
  model: string,
  groups: readonly InstanceGroup[],
  defaults: DefaultLanes,
  usable: UsableGpus,
  source: string,
): LanePlan {
  const wanted = groups.length > 0 ? groups : [ANY_DEVICE];
  const placed = placeGroups(wanted, usable, source).map((group, i) => ({
    ...group,
    name: group.name === '' ? `${model}_${i}` : group.name,
    count: group.count > 0 ? group.count : group.kind === 'KIND_GPU' ? defaults.gpu : defaults.cpu,
  }));
  const plan = placed[0]?.kind === 'KIND_GPU' ? planOnGpus(placed, usable) : planOnCpu(placed, wanted);
  if (plan.lanes > MAX_INSTANCES) {
    const expected = `${MAX_INSTANCES} at most, all devices together`;
    throw configError(source, [{ field: 'instance_group', found: `${plan.lanes} instances`, expected, fix: 'lower the counts' }]);
  }
  return plan;
}

function planOnCpu(groups: readonly PlacedGroup[], wanted: readonly InstanceGroup[]): LanePlan {
  const lanesIfFaster = wanted.length === 1 && wanted[0]?.count === 0;
  return { groups, gpus: [], lanes: groups.reduce((sum, { count }) => sum + count, 0), lanesIfFaster, warnings: [] };
}

/** Lanes take the GPUs in turn, so each GPU has the same number of them: the largest that the groups give to any. */
function planOnGpus(groups: readonly PlacedGroup[], usable: UsableGpus): LanePlan {
  const counts = new Map<number, number>();
  for (const { gpus, count } of groups) for (const gpu of gpus) counts.set(gpu, (counts.get(gpu) ?? 0) + count);
  const indices = [...counts.keys()].sort((a, b) => a - b);
  const most = Math.max(...counts.values());
  const gpus = indices.map((index) => usable.gpus[index]?.uuid ?? '');
  const plan = { gpus, lanes: most * indices.length, lanesIfFaster: false };
  if ([...counts.values()].every((count) => count === most)) return { ...plan, groups, warnings: [] };
  const given = indices.map((index) => `${counts.get(index)} on GPU ${index}`).join(', ');
  const leveled: PlacedGroup = { name: groups[0]?.name ?? '', kind: 'KIND_GPU', count: most, gpus: indices };
  return { ...plan, groups: [leveled], warnings: [`instance_group: found ${given}; each of them gets ${most}`] };
}

/** The groups when `lanes` of them run: fewer only where `lanesIfFaster` has left one group to the engine. */
export function runningGroups({ groups, lanesIfFaster }: LanePlan, lanes: number): LanePlan['groups'] {
  return lanesIfFaster ? groups.map((group) => ({ ...group, count: lanes })) : groups;
}
