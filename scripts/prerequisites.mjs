/** What must be on the machine before anything can be built, and how to get it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Failure, findProgram, root } from './processes.mjs';

/** EX_USAGE: the reader has to do something first. */
const EXIT_USAGE = 64;

const BUILD_TOOLS = [
  {
    what: 'a C++17 compiler (g++ or clang++)',
    programs: [process.env.CXX, 'c++', 'g++', 'clang++'],
    packages: { debian: 'g++', fedora: 'gcc-c++', macos: 'llvm' },
  },
  { what: 'CMake', programs: ['cmake'], packages: { debian: 'cmake', fedora: 'cmake', macos: 'cmake' } },
  { what: 'make or ninja', programs: ['ninja', 'make'], packages: { debian: 'make', fedora: 'make', macos: 'ninja' } },
];

export function installHint({ debian, fedora, macos }) {
  return `install it with "apt-get install ${debian}" (Debian, Ubuntu), "dnf install ${fedora}" (Fedora) or "brew install ${macos}" (macOS)`;
}

function olderThan(version, wanted) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

/** Throws when this Node is older than package.json allows. */
export function requireNode() {
  const wanted = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).engines.node.replace('>=', '');
  if (olderThan(process.versions.node, wanted)) {
    throw new Failure(
      EXIT_USAGE,
      `Node ${wanted} or newer is needed, this is ${process.versions.node}: install a newer one from nodejs.org, ` +
        'or the package nodejs (Debian, Fedora) or node (macOS).',
    );
  }
}

/** Throws one sentence for each missing build tool. Only called when there is something to build. */
export function requireBuildTools() {
  const missing = BUILD_TOOLS.filter(({ programs }) => !programs.some((name) => name && findProgram(name)));
  if (missing.length > 0) {
    const sentences = missing.map(
      ({ what, packages }) => `The native engine needs ${what}, which was not found: ${installHint(packages)}.`,
    );
    throw new Failure(EXIT_USAGE, sentences.join('\n'));
  }
}
