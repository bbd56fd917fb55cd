import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { defineConfig } from 'vitest/config';

/** One project a folder of test/, from cheap to dear. The later ones start servers, which would take the cores from each other. */
const PARALLEL = ['architecture', 'contract'];
const SEQUENTIAL = ['integration', 'process', 'kubernetes', 'k6', 'report'];
/** Needs a GPU: run by `npm run verify:gpu`, never by `npm test`. */
const ON_A_GPU = ['gpu'];

/** Those of test/unit that replace a module. */
const MOCKING = readdirSync(path.join(import.meta.dirname, 'test/unit'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/unit/${name}`)
  .filter((file) => readFileSync(path.join(import.meta.dirname, file), 'utf8').includes('vi.mock('));

const project = (name: string, include: string[]) => ({
  name,
  include,
  environment: 'node' as const,
  pool: 'forks' as const,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  fileParallelism: true,
});
const folder = (name: string) => project(name, [`test/${name}/**/*.test.ts`]);

export default defineConfig({
  test: {
    // One less by default, which of two cores leaves one idle.
    maxWorkers: availableParallelism(),
    projects: [
      // A process for each core, not for each file: loading the modules again takes longer than most tests. A replaced module would stay so
      // for the next file, so the files that replace one have a process each.
      { test: { ...folder('unit'), isolate: false, exclude: MOCKING } },
      { test: project('unit-mocking', MOCKING) },
      ...PARALLEL.map((name) => ({ test: folder(name) })),
      ...[...SEQUENTIAL, ...ON_A_GPU].map((name) => ({ test: { ...folder(name), fileParallelism: false } })),
    ],
  },
});
