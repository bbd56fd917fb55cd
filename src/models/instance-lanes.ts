/** How many runs of a version go on at one time. */
import type { InstanceGroup } from './model-config.js';

export interface LanePlan {
  /** The groups as they will run, with names, kinds and counts filled in. */
  readonly groups: readonly { readonly name: string; readonly kind: 'KIND_CPU'; readonly count: number }[];
  readonly lanes: number;
  /** Nobody has asked for that many: the engine may find that one does as much. */
  readonly lanesIfFaster: boolean;
  readonly warnings: readonly string[];
}

/** `defaultCount` >= 1 stands for a group that gives no count, and for no group at all. */
export function planLanes(model: string, groups: readonly InstanceGroup[], defaultCount: number): LanePlan {
  const wanted: readonly InstanceGroup[] = groups.length > 0 ? groups : [{ name: '', count: 0, kind: 'KIND_CPU' }];
  const planned = wanted.map(({ name, count }, i) => ({
    name: name === '' ? `${model}_${i}` : name,
    kind: 'KIND_CPU' as const,
    count: count === 0 ? defaultCount : count,
  }));
  const warnings = wanted.flatMap(({ kind }, i) =>
    kind === 'KIND_GPU' ? [`instance_group[${i}].kind: KIND_GPU, but this server has no GPU to run on; the group runs on the CPU`] : [],
  );
  const lanesIfFaster = wanted.length === 1 && wanted[0]?.count === 0;
  return { groups: planned, lanes: planned.reduce((sum, group) => sum + group.count, 0), lanesIfFaster, warnings };
}

/** The groups when `lanes` of them run: fewer only where `lanesIfFaster` has left one group to the engine. */
export function runningGroups({ groups, lanesIfFaster }: LanePlan, lanes: number): LanePlan['groups'] {
  return lanesIfFaster ? groups.map((group) => ({ ...group, count: lanes })) : groups;
}
