/** What a measurement depends on besides the model and its settings. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, hostname, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { usableCpus } from '../../config/cpu-limit.js';
import { measuredEnvironment } from '../../config/measured-environment.js';
import { VERSION } from '../../config/version.js';
import type { ModelUnderTest } from './model-under-test.js';
import type { RunFacts } from './run-store.js';

/** The engine and the load generator. */
const NATIVE = fileURLToPath(new URL('../../../build/native/', import.meta.url));
const NVIDIA = 'proc/driver/nvidia';

export function runFacts({ name, version, hash, choices }: ModelUnderTest): RunFacts {
  const model = { name, version, hash, ...choices, shapes: Object.fromEntries(choices.shapes) };
  return { machine: { ...machineFacts(), ...environmentFacts() }, versions: versionFacts(), model };
}

/** Such as "env CUDA_VISIBLE_DEVICES": which devices and libraries measured servers are shown. */
function environmentFacts(): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(measuredEnvironment().deciding).map(([name, value]) => [`env ${name}`, value]));
}

/** `root` is for tests. */
export function machineFacts(root = '/'): Readonly<Record<string, string | number>> {
  const processors = cpus();
  const gpus = gpuNames(root);
  const gpu = gpus.length === 0 ? {} : { gpu: [...new Set(gpus)].join(', '), gpus: gpus.length };
  const [cpu, cores] = [processors[0]?.model.trim() ?? '', usableCpus()];
  // Twins are not told apart by what they have. The id itself is not to be passed on (machine-id(5)).
  const id = createHash('sha256')
    .update(`penstock ${read(join(root, 'etc/machine-id')).trim() || hostname()}`)
    .digest('hex')
    .slice(0, 12);
  return { id, cpu, cores, ...gpu, memory_bytes: totalmem(), arch: arch(), kernel: release() };
}

export function versionFacts(root = '/'): Readonly<Record<string, string>> {
  const require = createRequire(import.meta.url);
  const { version: onnxruntime } = require('onnxruntime-node/package.json') as { readonly version: string };
  const driver = /Kernel Module\s+(?:for \S+\s+)?(\d[\d.]*)/.exec(read(join(root, NVIDIA, 'version')))?.[1];
  // Builds of one version differ while it is worked on.
  const build = createHash('sha256');
  for (const name of [...namesIn(NATIVE)].sort()) build.update(name).update(read(join(NATIVE, name)));
  return {
    penstock: VERSION,
    build: build.digest('hex').slice(0, 12),
    onnxruntime,
    node: process.version,
    ...(driver !== undefined && { driver }),
  };
}

/** As the NVIDIA driver names them. `root` is for tests. */
export function gpuNames(root = '/'): readonly string[] {
  const folder = join(root, NVIDIA, 'gpus');
  return namesIn(folder).map((address) => /^Model:\s*(.+)$/m.exec(read(join(folder, address, 'information')))?.[1]?.trim() ?? 'GPU');
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
