/** GoogleTest binaries of native/ and of test/fake-driver/, built with sanitizers in a build tree of their own. */
import path from 'node:path';
import process from 'node:process';
import { compile, configure } from './cmake.mjs';
import { installHint, requireBuildTools } from './prerequisites.mjs';
import { findProgram, root, run, say } from './processes.mjs';
import { filesBelow } from './stamps.mjs';
import { addCounts, readGoogleTestReport, reportPath } from './test-results.mjs';

const BINARY_TIMEOUT_MS = 10 * 60_000;
/** Folders whose tests only calculate: they may run beside each other. All others measure time, and run one by one. */
const CALCULATING = ['simulation', 'codec', 'batching', 'base'];
const SANITIZER_OPTIONS = {
  ASAN_OPTIONS: 'detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
};

/** Folders of native/ that have tests; the bridge needs Node and is tested from JavaScript. */
function testedFolders(without) {
  const folders = new Set(filesBelow('native', (file) => file.endsWith('_test.cc')).map((file) => file.split(path.sep)[1]));
  return [...folders].filter((folder) => folder !== 'bridge' && !without.includes(folder)).sort();
}

/** Does the compiler take this program with these flags? */
async function compiles(source, flags) {
  const compiler = process.env.CXX ?? ['c++', 'g++', 'clang++'].find(findProgram);
  const { code } = await run(compiler, ['-std=c++17', '-x', 'c++', '-', ...flags, '-o', '/dev/null'], { capture: true, input: source });
  return code === 0;
}

/** Why the tests cannot be built here, or undefined. */
export async function nativeTestsMissing(sanitizers) {
  requireBuildTools();
  const gtest = { debian: 'libgtest-dev', fedora: 'gtest-devel', macos: 'googletest' };
  if (!(await compiles('#include <gtest/gtest.h>\nint main() {}\n', ['-fsyntax-only']))) return `GoogleTest: ${installHint(gtest)}`;
  if (await compiles('int main() {}\n', [`-fsanitize=${sanitizers}`])) return undefined;
  const runtime = sanitizers === 'thread' ? 'libtsan' : 'libasan libubsan';
  return `the compiler's sanitizer run-time: ${installHint({ debian: 'libgcc-12-dev', fedora: runtime, macos: 'llvm' })}`;
}

/** Some kernels place memory where ThreadSanitizer cannot follow; without address randomisation they do not. Some containers forbid that. */
async function addressPrefix(sanitizers) {
  if (sanitizers !== 'thread') return [];
  const prefix = ['setarch', process.arch === 'x64' ? 'x86_64' : 'aarch64', '-R'];
  const { code } = await run(prefix[0], [...prefix.slice(1), 'true'], { capture: true });
  return code === 0 ? prefix : [];
}

async function runBinary(tree, folder, prefix) {
  const binary = path.join(root, 'build', tree, `${folder}_test`);
  const report = reportPath(`${tree}-${folder}.json`);
  const [program, ...args] = [...prefix, binary, '--gtest_brief=1', `--gtest_output=json:${report}`];
  const { code } = await run(program, args, { env: SANITIZER_OPTIONS, timeoutMs: BINARY_TIMEOUT_MS });
  if (code !== 0) say(`${folder}_test in build/${tree} ended with code ${code}`);
  return readGoogleTestReport(report, code);
}

const testsOf = (without) => [...testedFolders(without), 'fake_driver'];

/** Compiles all tests but those of the folders `without`. Resolves to undefined, or to why they cannot be run. `options`: of `run`. */
export async function compileNativeTests(tree, sanitizers, { without = [], ...options } = {}) {
  const configured = await configure(tree, { BUILD_ADDON: 'OFF', BUILD_NATIVE_TESTS: 'ON', SANITIZE: sanitizers });
  if (configured.code !== 0) {
    process.stderr.write(configured.output);
    return 'CMake could not configure it';
  }
  const targets = testsOf(without).map((folder) => `${folder}_test`);
  return (await compile(tree, targets, options)) === 0 ? undefined : 'it did not compile';
}

/** Runs what has been compiled. */
export async function runNativeTests(tree, sanitizers, { without = [] } = {}) {
  const prefix = await addressPrefix(sanitizers);
  const folders = testsOf(without);
  const result = (folder) => runBinary(tree, folder, prefix);
  const counts = await Promise.all(folders.filter((folder) => CALCULATING.includes(folder)).map(result));
  for (const folder of folders.filter((each) => !CALCULATING.includes(each))) counts.push(await result(folder));
  return addCounts(counts);
}
