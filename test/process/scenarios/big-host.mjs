// Preloaded into a server: a host of 64 CPUs. With QUOTA=1 a container on it that may use two of them.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

const faked = {
  '/proc/self/cgroup': '0::/\n',
  '/sys/fs/cgroup/cpu.max': process.env.QUOTA === '1' ? '200000 100000\n' : 'max 100000\n',
};
const read = fs.readFileSync;
fs.readFileSync = (path, ...rest) => faked[path] ?? read(path, ...rest);
os.availableParallelism = () => 64;
syncBuiltinESMExports();
