import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { usableCpus } from '../../../src/config/cpu-limit.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'penstock-cpu-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

describe('usable CPUs', () => {
  it('are those of the affinity mask where there is no cgroup', () => {
    expect(usableCpus(root, 6)).toBe(6);
  });

  it('follow the quota of a version 2 cgroup, rounded up', () => {
    put('proc/self/cgroup', '0::/\n');
    put('sys/fs/cgroup/cpu.max', '150000 100000\n');
    expect(usableCpus(root, 64)).toBe(2);
  });

  it('are not limited by a quota of "max", nor raised above the affinity', () => {
    put('proc/self/cgroup', '0::/\n');
    put('sys/fs/cgroup/cpu.max', 'max 100000\n');
    expect(usableCpus(root, 4)).toBe(4);
    put('sys/fs/cgroup/cpu.max', '900000 100000\n');
    expect(usableCpus(root, 4)).toBe(4);
  });

  it('take the tightest quota of the cgroup and those above it', () => {
    put('proc/self/cgroup', '0::/pods/pod1/main\n');
    put('sys/fs/cgroup/pods/pod1/main/cpu.max', 'max 100000\n');
    put('sys/fs/cgroup/pods/pod1/cpu.max', '300000 100000\n');
    put('sys/fs/cgroup/cpu.max', '800000 100000\n');
    expect(usableCpus(root, 64)).toBe(3);
  });

  it('find the quota at the root when the path is that of the host', () => {
    put('proc/self/cgroup', '0::/../../kubepods/pod9\n');
    put('sys/fs/cgroup/cpu.max', '200000 100000\n');
    expect(usableCpus(root, 64)).toBe(2);
  });

  it('follow the quota of a version 1 cgroup', () => {
    put('proc/self/cgroup', '5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/\n');
    put('sys/fs/cgroup/cpu/cpu.cfs_quota_us', '50000\n');
    put('sys/fs/cgroup/cpu/cpu.cfs_period_us', '100000\n');
    expect(usableCpus(root, 64)).toBe(1);
    put('sys/fs/cgroup/cpu/cpu.cfs_quota_us', '-1\n');
    expect(usableCpus(root, 64)).toBe(64);
  });
});
