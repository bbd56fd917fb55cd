/**
 * Installs and builds what is stale: npm packages, the native addon, the TypeScript. Says what it does and how long it took, and
 * nothing when there is nothing to do; then it writes nothing either, so a built tree may be read-only.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { withBuildLock } from './build-lock.mjs';
import { compile, configure, missingKernels, nativeSources } from './cmake.mjs';
import { requireBuildTools, requireNode } from './prerequisites.mjs';
import { Failure, root, run, say, seconds } from './processes.mjs';
import { filesBelow, fingerprint, stampMatches, writeStamp } from './stamps.mjs';

const EXIT_USAGE = 64;
/** EX_SOFTWARE */
const EXIT_BUILD_FAILED = 70;

const at = (...parts) => path.join(root, ...parts);
const addon = at('build', 'native', 'penstock.node');
const loadGenerator = at('build', 'native', 'penstock-loadgen');

/** npm records what it installed; it is stale when that differs from the lock file (packages for other platforms may be absent). */
function packagesAreStale() {
  const wanted = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages;
  let installed;
  try {
    installed = JSON.parse(readFileSync(at('node_modules', '.package-lock.json'), 'utf8')).packages;
  } catch {
    return true;
  }
  const matches = ([name, { version, integrity }]) => wanted[name]?.version === version && wanted[name].integrity === integrity;
  const isThere = ([name, { optional }]) => name === '' || optional === true || name in installed;
  return !Object.entries(installed).every(matches) || !Object.entries(wanted).every(isThere);
}

async function installPackages() {
  const npm = process.env.npm_execpath;
  const [program, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  // Development packages hold the compiler, so NODE_ENV=production must not leave them out. Install scripts stay off (.npmrc).
  const flags = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier'];
  const { code } = await run(program, [...first, ...flags]);
  if (code !== 0)
    throw new Failure(EXIT_BUILD_FAILED, 'npm ci failed: see its messages above; the package registry must be reachable for it.');
}

const addonSources = () => nativeSources((file) => !file.endsWith('_test.cc'));

/** `-DKEY=VALUE` flags as an object. */
function cmakeOptions(flags) {
  return Object.fromEntries(
    flags.map((flag) => {
      const [, key, value] = /^-D(\w+)=(.*)$/.exec(flag) ?? [];
      if (key === undefined)
        throw new Failure(EXIT_USAGE, `Flags for the build look like -DKEY=VALUE, and go to CMake; this one does not: ${flag}`);
      return [key, value];
    }),
  );
}

async function buildNative(flags) {
  const options = { CMAKE_BUILD_TYPE: 'Release', BUILD_ADDON: 'ON', BUILD_NATIVE_TESTS: 'OFF', ...cmakeOptions(flags) };
  const configured = await configure('native-cmake', options);
  if (configured.code !== 0) {
    process.stderr.write(configured.output);
    throw new Failure(EXIT_BUILD_FAILED, 'CMake could not configure the native engine: see its messages above.');
  }
  const withoutKernels = missingKernels(configured.output);
  if (withoutKernels !== undefined) say(withoutKernels);
  if ((await compile('native-cmake', ['penstock_addon', 'penstock-loadgen'])) !== 0) {
    throw new Failure(EXIT_BUILD_FAILED, 'The native engine did not compile: see the messages above.');
  }
  mkdirSync(path.dirname(addon), { recursive: true });
  for (const file of [addon, loadGenerator]) {
    // Renamed into place: a running server keeps the file that it has mapped.
    copyFileSync(at('build', 'native-cmake', path.basename(file)), `${file}.new`);
    renameSync(`${file}.new`, file);
  }
}

const typescriptSources = () => filesBelow('src', (file) => file.endsWith('.ts'));
const emitted = (source) => path.join('dist', path.relative('src', source).replace(/\.ts$/, '.js'));

async function buildTypeScript() {
  const sources = typescriptSources();
  const outputs = new Set(sources.map(emitted));
  // The incremental compiler does not look at what it wrote before, so a missing file has to be asked for.
  if (![...outputs].every((file) => existsSync(at(file)))) rmSync(at('build', 'tsconfig.tsbuildinfo'), { force: true });
  const { code } = await run(process.execPath, [at('node_modules', 'typescript-7', 'bin', 'tsc'), '-p', at('tsconfig.json')]);
  if (code !== 0) throw new Failure(EXIT_BUILD_FAILED, 'The TypeScript did not compile: see the messages above.');
  for (const file of filesBelow('dist', (name) => name.endsWith('.js'))) {
    if (!outputs.has(file)) for (const left of [file, `${file}.map`]) rmSync(at(left), { force: true });
  }
}

const install = {
  doing: 'installing packages (npm ci)',
  isStale: packagesAreStale,
  perform: installPackages,
};

const native = (flags) => ({
  doing: 'building the native engine (CMake)',
  isStale: () =>
    flags.length > 0 || ![addon, loadGenerator].every((file) => existsSync(file)) || !stampMatches('native', fingerprint(addonSources())),
  require: requireBuildTools,
  async perform() {
    const print = fingerprint(addonSources()); // Before building: an edit meanwhile makes the step stale again.
    await buildNative(flags);
    writeStamp('native', print);
  },
});

const typescriptInputs = () => ['tsconfig.json', 'package-lock.json', ...typescriptSources()];
const typescript = {
  doing: 'compiling TypeScript (tsc)',
  isStale: () =>
    !typescriptSources().every((source) => existsSync(at(emitted(source)))) || !stampMatches('typescript', fingerprint(typescriptInputs())),
  async perform() {
    const print = fingerprint(typescriptInputs());
    await buildTypeScript();
    writeStamp('typescript', print);
  },
};

async function bringUpToDate(steps) {
  requireNode();
  const stale = steps.filter((step) => step.isStale());
  if (stale.length === 0) return;
  for (const step of stale) step.require?.();
  await withBuildLock(async () => {
    for (const step of steps) {
      if (!step.isStale()) continue;
      const start = performance.now();
      say(`${step.doing} ...`);
      await step.perform();
      say(`${step.doing}: done in ${seconds(start)}`);
    }
  });
}

/** Packages only: enough for lint, types and tests that need no addon. */
export const ensureInstalled = () => bringUpToDate([install]);

/** Everything that `dist/main.js` needs; with `-D` flags for CMake, the native engine in any case. Throws `Failure`. */
export const ensureBuilt = (cmakeFlags = []) => bringUpToDate([install, native(cmakeFlags), typescript]);
