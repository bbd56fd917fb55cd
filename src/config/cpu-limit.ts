/** How many CPUs this process may really use: a container's quota does not change what the host reports. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/**
 * Whole CPUs, at least 1: the smaller of the scheduler's affinity mask and the CPU quota of the cgroup (version 2 or 1) and of every
 * cgroup above it. A quota of 1.5 CPUs counts as 2, because one thread could not use the half.
 *
 * `root` is the folder that holds `proc/` and `sys/`, `affinity` the number of CPUs the scheduler allows; both are for tests.
 */
export function usableCpus(root = '/', affinity: number = availableParallelism()): number {
  const quota = Math.min(...quotas(root));
  return Math.max(1, Math.min(affinity, Number.isFinite(quota) ? Math.ceil(quota) : Infinity));
}

/** Half of the CPUs run models; beyond eight threads the ports are never what limits. */
const MAX_DEFAULT_FRONT_ENDS = 8;

/** Threads that serve the ports where --front-end-threads does not say. `cpus`: that the process may use. */
export function defaultFrontEndCount(cpus: number): number {
  return Math.max(1, Math.min(MAX_DEFAULT_FRONT_ENDS, Math.floor(cpus / 2)));
}

/** Every quota that applies, in CPUs. */
function quotas(root: string): number[] {
  const found: number[] = [];
  // Lines are "hierarchy:controllers:path"; version 2 has the hierarchy 0 and no controllers.
  for (const line of readText(root, 'proc/self/cgroup').split('\n')) {
    const [, hierarchy, controllers = '', path = '/'] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (hierarchy === '0' && controllers === '') {
      for (const folder of upwards(path)) found.push(quotaOfVersion2(readText(root, `sys/fs/cgroup${folder}/cpu.max`)));
    } else if (controllers.split(',').includes('cpu')) {
      for (const mount of ['cpu', 'cpu,cpuacct']) {
        for (const folder of upwards(path)) {
          const base = `sys/fs/cgroup/${mount}${folder}`;
          found.push(quotaOfVersion1(readText(root, `${base}/cpu.cfs_quota_us`), readText(root, `${base}/cpu.cfs_period_us`)));
        }
      }
    }
  }
  return found;
}

/** `/a/b` -> `/a/b`, `/a`, and the root as empty text: in a container the path may be the host's, with only the root mounted. */
function upwards(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`).concat('');
}

function quotaOfVersion2(text: string): number {
  const [quota = 'max', period = '100000'] = text.trim().split(/\s+/);
  return ratio(quota, period);
}

function quotaOfVersion1(quota: string, period: string): number {
  return ratio(quota.trim(), period.trim());
}

/** Infinity when there is no quota ("max", "-1") or no such file. */
function ratio(quota: string, period: string): number {
  return /^\d+$/.test(quota) && /^[1-9]\d*$/.test(period) && quota !== '0' ? Number(quota) / Number(period) : Infinity;
}

function readText(root: string, path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return ''; // Another cgroup version, or a system without cgroups: no quota from here.
  }
}
