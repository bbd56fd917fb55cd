import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** One project a folder of test/, from cheap to dear. The later ones start servers, which would take the cores from each other. */
const PARALLEL = ['unit', 'architecture', 'contract'];
const SEQUENTIAL = ['integration', 'process', 'kubernetes', 'k6', 'report'];
/** Needs a GPU: run by `npm run verify:gpu`, never by `npm test`. */
const ON_A_GPU = ['gpu'];

export default defineConfig({
  test: {
    // One less by default, which of two cores leaves one idle.
    maxWorkers: availableParallelism(),
    projects: [...PARALLEL, ...SEQUENTIAL, ...ON_A_GPU].map((name) => ({
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        environment: 'node',
        pool: 'forks',
        testTimeout: 60_000,
        hookTimeout: 60_000,
        fileParallelism: PARALLEL.includes(name),
      },
    })),
  },
});
