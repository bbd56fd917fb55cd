/**
 * The suites of `npm test`, in the order they run. `run` resolves to `{ passed, failed, skipped }`; `missing` resolves to the reason
 * why a suite must be left out, naming the package it lacks, or to undefined. Suites whose tests do not exist are not listed.
 * `sharesCores`: it measures no time, and may run beside others of that kind. `prepare`: what can be done for it while other suites run,
 * in the time that they leave idle; resolves to undefined, or to why the suite cannot run.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { browserTestsMissing } from './browser.mjs';
import { checkMetrics, metricsCheckMissing } from './check-metrics.mjs';
import { k6TestsMissing, kubernetesTestsMissing } from './kubernetes-tools.mjs';
import { kernelTestsMissing, runKernelTests } from './kernel-tests.mjs';
import { compileNativeTests, nativeTestsMissing, runNativeTests } from './native-tests.mjs';
import { root, run } from './processes.mjs';
import { filesBelow } from './stamps.mjs';
import { imageTestMissing, runImageTest } from './image-test.mjs';
import { clientTestsMissing, runClientTests } from './client-tests.mjs';
import { readVitestReport, reportPath, verdict } from './test-results.mjs';

const MINUTE_MS = 60_000;
/** The suite kubernetes has taken 8 to 13 minutes where other work wanted the same two cores. */
const VITEST_TIMEOUT_MS = 25 * MINUTE_MS;
const inModules = (...parts) => path.join(root, 'node_modules', ...parts);

async function node(script, args, options = {}) {
  return (await run(process.execPath, [script, ...args], { timeoutMs: 5 * MINUTE_MS, ...options })).code;
}

/** Of what runs beside ESLint, which takes longest and has one thread: with a core to itself all the time it ends with the others. */
const BESIDE = { niceness: 5 };

async function lint() {
  const [eslint, prettier] = await Promise.all([
    node(inModules('eslint', 'bin', 'eslint.js'), ['.']),
    node(inModules('prettier', 'bin', 'prettier.cjs'), ['--check', '--log-level', 'warn', '.'], BESIDE),
  ]);
  return { passed: [eslint, prettier].filter((code) => code === 0).length, failed: [eslint, prettier].filter((code) => code !== 0).length };
}

async function types() {
  return verdict((await node(inModules('typescript-7', 'bin', 'tsc'), ['--noEmit', '-p', 'test/tsconfig.json'], BESIDE)) === 0);
}

/** `files`: those whose path has one of these in it; none = all of the projects'. `options`: of `run`. */
async function vitest(name, projects, { files = [], ...options } = {}) {
  const report = reportPath(`vitest-${name}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const args = ['run', ...projects.flatMap((project) => ['--project', project]), ...reporters, ...files];
  const code = await node(inModules('vitest', 'vitest.mjs'), args, { timeoutMs: VITEST_TIMEOUT_MS, ...options });
  return readVitestReport(report, code);
}

function vitestSuite(project, needsBuild, missing) {
  return {
    name: project,
    missing,
    exists: () => filesBelow(`test/${project}`, (file) => file.endsWith('.test.ts')).length > 0,
    needsBuild,
    run: () => vitest(project, [project]),
  };
}

/**
 * What every front end must do, done by those of JavaScript: all other suites have the native ones, where the option chooses. Without the
 * comparison of both, which starts one of each by itself.
 */
const JAVASCRIPT_FRONT_END_FILES = ['http-inference', 'http-routes', 'grpc-calls', 'grpc-conditions', 'protocols', 'process/drain'];
const javascriptFrontEnds = {
  name: 'js-front-ends',
  needsBuild: true,
  run: () =>
    vitest('js-front-ends', ['contract', 'integration', 'process'], {
      files: JAVASCRIPT_FRONT_END_FILES,
      env: { PENSTOCK_FRONT_END: 'js' },
    }),
};

const hasNativeTests = () => filesBelow('native', (file) => file.endsWith('_test.cc')).length > 0;

/** As good as nothing of a core that anything else wants. */
const IDLE = { niceness: 19 };

function nativeSuite(name, tree, sanitizers, without = []) {
  return {
    name,
    exists: hasNativeTests,
    missing: () => nativeTestsMissing(sanitizers),
    prepare: () => compileNativeTests(tree, sanitizers, { without, ...IDLE }),
    run: () => runNativeTests(tree, sanitizers, { without }),
  };
}

const allSuites = [
  { name: 'lint', sharesCores: true, run: lint },
  { name: 'types', sharesCores: true, run: types },
  { name: 'unit', sharesCores: true, run: () => vitest('unit', ['unit', 'unit-mocking'], BESIDE) },
  vitestSuite('architecture', false),
  vitestSuite('contract', true),
  vitestSuite('integration', true),
  vitestSuite('process', true),
  javascriptFrontEnds,
  vitestSuite('kubernetes', true, kubernetesTestsMissing),
  vitestSuite('k6', true, k6TestsMissing),
  vitestSuite('report', false, browserTestsMissing),
  nativeSuite('native', 'native-test', 'address,undefined'),
  // Neither ONNX Runtime nor Node is instrumented, so the folder that loads the one and the folder that lives in the other stay out. The rest
  // of these folders has no threads.
  nativeSuite('native-tsan', 'native-tsan', 'thread', ['session', 'batching', 'codec', 'fuzz', 'simulation']),
  {
    name: 'kernels',
    exists: () => filesBelow('native', (file) => file.endsWith('.cu')).length > 0,
    missing: kernelTestsMissing,
    run: runKernelTests,
  },
  {
    name: 'clients',
    exists: () => existsSync(path.join(root, 'test', 'clients')),
    needsBuild: true,
    missing: clientTestsMissing,
    run: runClientTests,
  },
  {
    name: 'metrics',
    exists: () => existsSync(path.join(root, 'src', 'main.ts')),
    needsBuild: true,
    missing: metricsCheckMissing,
    run: checkMetrics,
  },
  {
    name: 'image',
    exists: () => existsSync(path.join(root, 'test', 'image')),
    missing: imageTestMissing,
    run: runImageTest,
  },
];

export const suites = allSuites.filter((suite) => suite.exists?.() ?? true);
