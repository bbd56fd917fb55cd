/** A server on GPUs that do not exist: the real binary, with the libraries of test/fake-driver in the place of NVIDIA's. */
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import { repositoryRoot, ServerProcess, shippedModels, type StartOptions } from './server-process.js';

interface CMake {
  readonly configure: (
    tree: string,
    options: Readonly<Record<string, string>>,
  ) => Promise<{ readonly code: number; readonly output: string }>;
  readonly compile: (tree: string, targets: readonly string[]) => Promise<number>;
}

/** The tree that the addon is built in: what the libraries share with it is there already. */
const TREE = 'native-cmake';
const LIBRARIES = join(repositoryRoot, 'build', TREE, 'fake-driver');

/** As often as tests can bear, so that they do not wait. */
const SHORT_INTERVALS = ['--metrics-interval-ms', '50', '--gpu-probe-interval-secs', '0.1', '--gpu-probe-bytes', '64KiB'];

export async function buildFakeDriver(): Promise<void> {
  const { configure, compile } = (await import(pathToFileURL(join(repositoryRoot, 'scripts/cmake.mjs')).href)) as CMake;
  const { code, output } = await configure(TREE, { BUILD_FAKE_DRIVER: 'ON' });
  if (code !== 0) throw new Error(`CMake could not configure the fake driver:\n${output}`);
  if ((await compile(TREE, ['fake_cuda', 'fake_nvml', 'fake_ort'])) !== 0) throw new Error('the fake driver did not compile');
}

/** A folder that is gone after the test. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-gpu-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A repository with one model that does what `add_sub` does, on the devices that its configuration asks for. */
export function addSubOn(kind: 'KIND_AUTO' | 'KIND_GPU' | 'KIND_CPU', name = 'add_sub'): string {
  const folder = temporaryFolder();
  cpSync(join(shippedModels, 'add_sub/1'), join(folder, name, '1'), { recursive: true });
  writeFileSync(join(folder, name, 'config.json'), JSON.stringify({ max_batch_size: 8, instance_group: [{ kind, count: 1 }] }));
  return folder;
}

export interface FakeGpus {
  readonly server: ServerProcess;
  /** Replaces the script of the fake driver, which says what there is and what fails: test/fake-driver/script.cc reads it. */
  readonly rewrite: (script: string) => void;
}

/** Ended with the test, however that ends. */
export async function startOnFakeGpus(script: string, options: StartOptions = {}): Promise<FakeGpus> {
  const path = join(temporaryFolder(), 'script');
  const rewrite = (text: string): void => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  rewrite(script);
  const server = await ServerProcess.start({
    repositories: [addSubOn('KIND_AUTO')],
    ...options,
    flags: ['--ort-library', join(LIBRARIES, 'ort/libonnxruntime.so.1'), ...SHORT_INTERVALS, ...(options.flags ?? [])],
    env: { LD_LIBRARY_PATH: LIBRARIES, FAKE_GPU_SCRIPT: path },
  });
  onTestFinished(() => void server.stop());
  return { server, rewrite };
}
