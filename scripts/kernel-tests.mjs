/** Compiles the GPU kernels, which the other suites do without, and looks for every one of them in the image. No GPU is needed. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { compile, configure, missingKernels } from './cmake.mjs';
import { requireBuildTools } from './prerequisites.mjs';
import { root, say } from './processes.mjs';
import { addCounts, verdict } from './test-results.mjs';

const TREE = 'kernels';
const OPTIONS = { BUILD_ADDON: 'OFF', BUILD_NATIVE_TESTS: 'OFF' };

/** Why the kernels cannot be compiled here, or undefined. */
export async function kernelTestsMissing() {
  requireBuildTools();
  const { output } = await configure(TREE, { ...OPTIONS, REQUIRE_KERNELS: 'OFF' });
  return missingKernels(output) && 'nvcc: install the CUDA toolkit, or let .ci/run put the packages into build/nvcc-venv';
}

const read = (...parts) => readFileSync(path.join(root, ...parts));

/** The kernels that the engine asks the driver for. */
function kernelNames() {
  const names = [
    ...read('native', 'device', 'kernels.cc')
      .toString()
      .matchAll(/"(penstock_\w+)"/g),
  ].map(([, name]) => name);
  if (names.length === 0) throw new Error('native/device/kernels.cc asks for no kernel that could be looked for');
  return names;
}

export async function runKernelTests() {
  const configured = await configure(TREE, { ...OPTIONS, REQUIRE_KERNELS: 'ON' });
  if (configured.code !== 0) {
    process.stderr.write(configured.output);
    return { passed: 0, failed: 1, note: 'CMake could not configure it' };
  }
  if ((await compile(TREE, ['penstock_device'])) !== 0) return { passed: 0, failed: 1, note: 'it did not compile' };
  const image = read('build', TREE, 'kernels.fatbin');
  const found = kernelNames().map((name) => {
    const isThere = image.includes(`${name}\0`);
    if (!isThere) say(`${name} is not in build/${TREE}/kernels.fatbin`);
    return verdict(isThere);
  });
  const isEmbedded = read('build', TREE, 'libpenstock_device.a').includes(image);
  if (!isEmbedded) say('the image of the kernels is not in libpenstock_device.a');
  return addCounts([...found, verdict(isEmbedded)]);
}
