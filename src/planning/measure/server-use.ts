/** What a server has used and run so far, and between two moments. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BatchRuns, Trial } from './trial.js';

/** Lanes and the threads that help them, as native/pipeline/lane.cc and native/session/ort_runtime.h name them. */
const RUN_MODELS = ['penstock-lane', 'penstock-ort'];
/** USER_HZ is 100 on every architecture that we run on. */
const TICK_NS = 1e7;

interface Duration {
  readonly count: number;
  readonly ns: number;
}

/** Of one model and version: what /v2/models/M/stats says. */
interface ModelStatistics {
  readonly inference_stats: { readonly success: Duration; readonly fail: Duration };
  readonly batch_stats: readonly {
    readonly batch_size: number;
    readonly compute_input: Duration;
    readonly compute_infer: Duration;
    readonly compute_output: Duration;
  }[];
}

export interface ServerUse {
  readonly requests: number;
  readonly runs: ReadonlyMap<number, { readonly runs: number; readonly ns: number }>;
  readonly laneCpuNs: number;
  readonly otherCpuNs: number;
}

/** `statistics`: the document that the server has just answered. Throws when the process is gone. */
export function readUse(pid: number, statistics: unknown): ServerUse {
  const { model_stats: all } = statistics as { readonly model_stats: readonly ModelStatistics[] };
  const runs = new Map<number, { runs: number; ns: number }>();
  for (const { batch_size: rows, compute_input: input, compute_infer: infer, compute_output: output } of all.flatMap(
    (one) => one.batch_stats,
  )) {
    runs.set(rows, { runs: infer.count, ns: input.ns + infer.ns + output.ns });
  }
  const requests = all.reduce((sum, { inference_stats: { success, fail } }) => sum + success.count + fail.count, 0);
  return { requests, runs, ...cpuOf(pid) };
}

export function useBetween(before: ServerUse, after: ServerUse): Pick<Trial, 'batches' | 'laneCpuMs' | 'frontEndCpuMs'> {
  const batches: BatchRuns[] = [];
  for (const [rows, { runs, ns }] of [...after.runs].sort(([a], [b]) => a - b)) {
    const earlier = before.runs.get(rows) ?? { runs: 0, ns: 0 };
    const added = runs - earlier.runs;
    if (added > 0) batches.push({ rows, runs: added, meanMs: (ns - earlier.ns) / added / 1e6 });
  }
  const requests = Math.max(1, after.requests - before.requests);
  return {
    batches,
    laneCpuMs: (after.laneCpuNs - before.laneCpuNs) / requests / 1e6,
    frontEndCpuMs: (after.otherCpuNs - before.otherCpuNs) / requests / 1e6,
  };
}

function cpuOf(pid: number): Pick<ServerUse, 'laneCpuNs' | 'otherCpuNs'> {
  let [laneCpuNs, otherCpuNs] = [0, 0];
  const tasks = `/proc/${pid}/task`;
  for (const task of readdirSync(tasks)) {
    if (RUN_MODELS.includes(read(tasks, task, 'comm').trim())) laneCpuNs += cpuOfTask(tasks, task);
    else otherCpuNs += cpuOfTask(tasks, task);
  }
  return { laneCpuNs, otherCpuNs };
}

/** Nanoseconds as the scheduler counts them; ticks of 10 ms, too coarse for short trials, only where the kernel says no more. */
function cpuOfTask(tasks: string, task: string): number {
  const [running] = read(tasks, task, 'schedstat').split(' ');
  if (running !== undefined && running !== '') return Number(running);
  // The name of the thread, in brackets, may hold spaces.
  const fields = read(tasks, task, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  const [user = '0', system = '0'] = fields.slice(11, 13);
  return (Number(user) + Number(system)) * TICK_NS;
}

/** Empty when the thread has just ended. */
function read(...path: readonly string[]): string {
  try {
    return readFileSync(join(...path), 'utf8');
  } catch {
    return '';
  }
}
