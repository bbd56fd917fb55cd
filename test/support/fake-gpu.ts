/** GPUs that are not there: the fake driver, NVML and CUDA provider of test/fake-driver, and servers that run on them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot, ServerProcess, type StartOptions } from './server-process.js';

const folder = join(repositoryRoot, 'build/native-cmake/fake-driver');

/** The stand-in for ONNX Runtime: the real library with a CUDA provider that needs no GPU. */
export const fakeOrtLibrary = join(folder, 'ort/libonnxruntime.so.1');

let isBuilt = false;

/** To be called before the first server, in a `beforeAll` with time for a compiler. Does nothing when all is up to date. */
export function buildFakeGpu(): void {
  if (isBuilt) return;
  const { status, stderr } = spawnSync(process.execPath, [join(repositoryRoot, 'scripts/fake-driver.mjs')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the fake driver cannot be built:\n${stderr}`);
  isBuilt = true;
}

/** What the fake driver is told to be and to do, in a file that it reads again whenever it changes. */
export class FakeGpuScript {
  readonly #folder = mkdtempSync(join(tmpdir(), 'penstock-gpu-'));
  readonly path = join(this.#folder, 'script');

  /** `lines`: see test/fake-driver. */
  constructor(lines: readonly string[]) {
    this.write(lines);
  }

  write(lines: readonly string[]): void {
    // At once: half a script would be another one.
    writeFileSync(`${this.path}.new`, lines.map((line) => `${line}\n`).join(''));
    renameSync(`${this.path}.new`, this.path);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** For the environment of a process that is to find the fake libraries as it would find the real ones. */
export function fakeGpuEnvironment(script: FakeGpuScript): Record<string, string> {
  return { LD_LIBRARY_PATH: folder, FAKE_GPU_SCRIPT: script.path, NVIDIA_VISIBLE_DEVICES: 'all' };
}

/** A server on the GPUs of `script`, with the fake CUDA provider unless `flags` name another library. */
export function startOnFakeGpu(script: FakeGpuScript, options: StartOptions = {}): Promise<ServerProcess> {
  return ServerProcess.start({
    ...options,
    flags: ['--ort-library', fakeOrtLibrary, ...(options.flags ?? [])],
    env: { ...fakeGpuEnvironment(script), ...options.env },
  });
}
