/** The settings that a sweep chooses between, and steps from one to others. */
import type { Precision, ServerSettings } from '../server-settings.js';
import type { LatencyGoal } from './trial.js';

/** The values that each setting may take, rising. */
export interface SweepSpace {
  readonly maxBatchSize: readonly number[];
  readonly lanes: readonly number[];
  readonly cpuThreads: readonly number[];
  /** null = the server decides itself. */
  readonly maxQueueDelayUs: readonly (number | null)[];
  /** Empty: as the model's configuration has it. */
  readonly precisions: readonly Precision[];
}

export interface SpaceLimits {
  /** Of the model; 0 = it does not batch. */
  readonly maxBatchSize: number;
  /** Requests share batches. */
  readonly merges: boolean;
  /** No batch may be smaller. */
  readonly rowsPerRequest: number;
  readonly cpus: number;
  readonly goal: LatencyGoal;
  readonly precisions: readonly Precision[];
}

const MOST_LANES = 16;
/** Of the goal, that a batch may wait for more rows. */
const DELAYS = [0.02, 0.1] as const;

/** Where requests do not share batches, no size of them is tried, and no delay: a delay would make them share. */
export function sweepSpace({ maxBatchSize, merges, rowsPerRequest, cpus, goal, precisions }: SpaceLimits): SweepSpace {
  const batches = powersUpTo(maxBatchSize).filter((size) => size >= rowsPerRequest);
  const delays = DELAYS.map((share) => Math.round(goal.latencyMs * 1000 * share)).filter((delay) => delay > 0);
  return {
    maxBatchSize: merges ? batches : [maxBatchSize],
    // On one CPU, too: while one lane computes, another gathers.
    lanes: powersUpTo(Math.min(MOST_LANES, Math.max(2, cpus))),
    cpuThreads: powersUpTo(cpus),
    maxQueueDelayUs: merges && maxBatchSize > 1 ? [null, ...delays] : [null],
    precisions,
  };
}

/**
 * Settings far from each other, the given ones first: a search that only takes steps would stay on the first hill. Every precision is among
 * the first of them, as it is asked for by name.
 */
export function startingPoints(space: SweepSpace, first: ServerSettings): readonly ServerSettings[] {
  const most = { ...first, maxBatchSize: space.maxBatchSize.at(-1) ?? 0 };
  const [oneThread, allThreads] = [space.cpuThreads[0] ?? 1, space.cpuThreads.at(-1) ?? 1];
  const corners = [
    { ...most, lanes: 1, cpuThreads: allThreads },
    { ...most, lanes: nearest(space.lanes, allThreads), cpuThreads: oneThread },
    { ...most, maxBatchSize: space.maxBatchSize[Math.floor(space.maxBatchSize.length / 2)] ?? 0, lanes: 1, cpuThreads: oneThread },
  ];
  return [first, ...inOtherPrecisions(space, first), ...corners];
}

/**
 * One setting `stride` values up or down, and lanes against threads, which share the CPUs; what matters most comes first. Settings that the
 * space does not have count as their nearest.
 */
export function stepsFrom(space: SweepSpace, from: ServerSettings, stride: number): readonly ServerSettings[] {
  const moved = <T extends number | null>(values: readonly T[], value: T, by: number): T | undefined => {
    const known = values.indexOf(value);
    const at = known >= 0 ? known : values.indexOf(nearest(values, value));
    return values[at + by];
  };
  const steps = inOtherPrecisions(space, from);
  const add = (change: { readonly [name in keyof ServerSettings]?: ServerSettings[name] | undefined }): void => {
    if (Object.values(change).every((value) => value !== undefined)) steps.push({ ...from, ...(change as Partial<ServerSettings>) });
  };
  for (const by of [stride, -stride]) add({ maxBatchSize: moved(space.maxBatchSize, from.maxBatchSize, by) });
  for (const by of [stride, -stride]) add({ lanes: moved(space.lanes, from.lanes, by) });
  for (const by of [stride, -stride]) add({ cpuThreads: moved(space.cpuThreads, from.cpuThreads, by) });
  for (const by of [stride, -stride]) {
    add({ lanes: moved(space.lanes, from.lanes, by), cpuThreads: moved(space.cpuThreads, from.cpuThreads, -by) });
  }
  // Few, and the way from one to the next need not lead uphill.
  const delays = stride > 1 ? [] : space.maxQueueDelayUs.filter((delay) => delay !== from.maxQueueDelayUs);
  for (const maxQueueDelayUs of delays) add({ maxQueueDelayUs });
  return steps;
}

/** The largest stride that leads from one value of any setting to another. */
export function widestStride(space: SweepSpace): number {
  return Math.max(1, Math.floor((space.maxBatchSize.length - 1) / 2));
}

function inOtherPrecisions(space: SweepSpace, settings: ServerSettings): ServerSettings[] {
  return space.precisions.filter((other) => other !== settings.precision).map((precision) => ({ ...settings, precision }));
}

function nearest<T extends number | null>(values: readonly T[], value: T): T {
  const distance = (one: T): number => Math.abs((one ?? 0) - (value ?? 0));
  return values.reduce((best, one) => (distance(one) < distance(best) ? one : best), values[0] as T);
}

function powersUpTo(most: number): readonly number[] {
  const powers: number[] = [];
  for (let power = 1; power < most; power *= 2) powers.push(power);
  return [...powers, Math.max(1, most)];
}
