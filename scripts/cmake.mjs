/** CMake build trees below build/. */
import { readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findProgram, root, run } from './processes.mjs';
import { changedBehindClock, filesBelow, fingerprint, writeStamp } from './stamps.mjs';

/** A tree that was configured for another checkout or another generator cannot be reused. */
function dropForeignTree(folder, generator) {
  let cache;
  try {
    cache = readFileSync(path.join(folder, 'CMakeCache.txt'), 'utf8');
  } catch {
    return;
  }
  const value = (key) => new RegExp(`^${key}:\\w+=(.*)$`, 'm').exec(cache)?.[1];
  if (value('CMAKE_HOME_DIRECTORY') !== root || value('CMAKE_CACHEFILE_DIR') !== folder || value('CMAKE_GENERATOR') !== generator) {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Configures `build/<name>`; `options` become -D flags. Resolves to `{ code, output }`, the output unprinted. */
export function configure(name, options) {
  const folder = path.join(root, 'build', name);
  const generator = findProgram('ninja') ? 'Ninja' : 'Unix Makefiles';
  dropForeignTree(folder, generator);
  const flags = Object.entries(options).map(([key, value]) => `-D${key}=${value}`);
  return run('cmake', ['-S', root, '-B', folder, '-G', generator, ...flags], { capture: true });
}

/** Why a tree has no GPU kernels, as CMake said it when it was configured, or undefined. */
export function missingKernels(output) {
  return /no GPU kernels: .*/.exec(output)?.[0];
}

/** Everything below native/ and what it is compiled against; `wanted` may leave files out. */
export function nativeSources(wanted = () => true) {
  return ['CMakeLists.txt', 'package-lock.json', ...filesBelow('native', (file) => /\.(cc|h|inc|cu)$/.test(file) && wanted(file))];
}

/** Builds targets of `build/<name>` (all when none are given), printing as it goes. `options`: of `run`. Resolves to the exit code. */
export async function compile(name, targets = [], options = {}) {
  const jobs = String(os.availableParallelism());
  const selection = targets.length > 0 ? ['--target', ...targets] : [];
  const print = fingerprint([...nativeSources(), ...filesBelow('test/fake-driver', (file) => /\.(cc|h)$/.test(file))]);
  const afresh = changedBehindClock(name, print) ? ['--clean-first'] : [];
  const { code } = await run('cmake', ['--build', path.join(root, 'build', name), '--parallel', jobs, ...afresh, ...selection], options);
  writeStamp(name, print);
  return code;
}
