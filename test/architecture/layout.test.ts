import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, linesMatching, read } from './tree.js';

const typescript = filesBelow('src', /\.ts$/);
const native = filesBelow('native', /\.(cc|h|cu|inc)$/);
const ours = ['src', 'native', 'scripts', 'test', 'bench'].flatMap((folder) => filesBelow(folder, /\.(ts|mjs|js|cc|h|cu|py|sh)$/));

const outside = (files: readonly string[], folder: string): string[] => files.filter((file) => !file.startsWith(folder));

describe('one place for each dangerous thing', () => {
  it('includes napi.h in native/bridge only', () => {
    expect(linesMatching(outside(native, 'native/bridge/'), /#\s*include\s*[<"]n(ode_)?api\.h/)).toEqual([]);
  });

  it('loads the .node file in src/bridge only', () => {
    expect(linesMatching(outside(typescript, 'src/bridge/'), /\.node['"`]/)).toEqual([]);
  });

  it('reads process.env in src/config only', () => {
    expect(linesMatching(outside(typescript, 'src/config/'), /process\.env\b/)).toEqual([]);
  });

  it('ends the process in src/main.ts only', () => {
    expect(linesMatching(outside(typescript, 'src/main.ts'), /process\.exit\(/)).toEqual([]);
  });

  it('never reads the environment in native code', () => {
    expect(linesMatching(native, /\b(secure_)?getenv\b/)).toEqual([]);
  });
});

describe('the order of the native folders', () => {
  /** From the top down; a file may include its own folder and those after it. */
  const ORDER = [
    'fuzz',
    'loadgen',
    'bridge',
    'frontend',
    'codec',
    'serving',
    'pipeline',
    'simulation',
    'batching',
    'session',
    'transport',
    'memory',
    'device',
    'base',
  ];
  const rank = (folder: string): number => ORDER.indexOf(folder);
  const folderOf = (file: string): string => file.split('/')[1] ?? '';

  /** The fake session is a double for tests, which may need it below its own folder. */
  const isTestDouble = (file: string, included: string): boolean => file.endsWith('_test.cc') && /\/fake_session/.test(included);

  const includes = native.flatMap((file) =>
    [...read(file).matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)].map((match) => ({ file, included: match[1] ?? '' })),
  );

  it('knows every folder', () => {
    expect(native.filter((file) => rank(folderOf(file)) < 0)).toEqual([]);
  });

  it('names our headers by folder and file', () => {
    expect(includes.filter(({ included }) => rank(included.split('/')[0] ?? '') < 0)).toEqual([]);
  });

  it('includes downwards only', () => {
    const upwards = includes.filter(
      ({ file, included }) => rank(included.split('/')[0] ?? '') < rank(folderOf(file)) && !isTestDouble(file, included),
    );
    expect(upwards).toEqual([]);
  });
});

describe('files that a reader can hold in the head', () => {
  const MAX_LINES = 500;

  it(`has no file longer than ${MAX_LINES} lines`, () => {
    const sources = ours.filter((file) => !file.startsWith('test/fixtures/'));
    const long = sources.map((file) => ({ file, lines: read(file).trimEnd().split('\n').length })).filter(({ lines }) => lines > MAX_LINES);
    expect(long).toEqual([]);
  });

  it('has no file or folder whose name says nothing', () => {
    const nameless = /^((.*[-_])?(utils?|helpers?)|common|index|misc)$/;
    const saysNothing = (file: string): boolean =>
      file.split('/').some((part) => nameless.test(path.parse(part.replace('.test.', '.')).name));
    expect(ours.filter(saysNothing)).toEqual([]);
  });

  it('names TypeScript files in kebab-case and C++ files in snake_case', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/;
    const snake = /^[a-z0-9]+(_[a-z0-9]+)*\.(cc|h|cu|inc)$/;
    expect(typescript.filter((file) => !kebab.test(path.basename(file)))).toEqual([]);
    expect(native.filter((file) => !snake.test(path.basename(file)))).toEqual([]);
  });
});

describe('a checkout that installs anywhere', () => {
  it('keeps addresses of a registry out of the lock file', () => {
    expect(linesMatching(['package-lock.json'], /"resolved"/)).toEqual([]);
  });

  it('pins every package to one version', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^(npm:[\w@/-]+@)?\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });
});
