import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root } from './tree.js';

interface Stamps {
  fingerprint(files: readonly string[]): string;
  stampMatches(step: string, print: string): boolean;
  changedBehindClock(step: string, print: string): boolean;
  writeStamp(step: string, print: string): void;
}

/** A checkout with nothing but the scripts, which take the folder above their own as the root. */
let checkout: string;

beforeEach(() => {
  checkout = mkdtempSync(path.join(os.tmpdir(), 'penstock-set-up-'));
  for (const part of ['scripts', 'package.json', 'package-lock.json', 'tsconfig.json', 'CMakeLists.txt'])
    cpSync(path.join(root, part), path.join(checkout, part), { recursive: true });
});

afterEach(() => rmSync(checkout, { recursive: true, force: true }));

describe('what has to be built again', () => {
  const file = 'engine.cc';
  const anHourAgo = Date.now() / 1000 - 3600;
  const write = (text: string): void => writeFileSync(path.join(checkout, file), text);
  let stamps: Stamps;

  beforeEach(async () => {
    stamps = (await import(pathToFileURL(path.join(checkout, 'scripts', 'stamps.mjs')).href)) as Stamps;
    write('one');
    stamps.writeStamp('step', stamps.fingerprint([file]));
  });

  it('is nothing while contents stay the same, whatever their times', () => {
    utimesSync(path.join(checkout, file), Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    expect(stamps.stampMatches('step', stamps.fingerprint([file]))).toBe(true);
  });

  it('is what changed, by content', () => {
    write('two');
    expect(stamps.stampMatches('step', stamps.fingerprint([file]))).toBe(false);
  });

  it('is everything when a changed file carries an old time, which make and ninja would pass over', () => {
    write('two');
    utimesSync(path.join(checkout, file), anHourAgo, anHourAgo);
    expect(stamps.changedBehindClock('step', stamps.fingerprint([file]))).toBe(true);
  });

  it('is left to make and ninja when the changed file has a newer time', () => {
    write('two');
    utimesSync(path.join(checkout, file), Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    expect(stamps.changedBehindClock('step', stamps.fingerprint([file]))).toBe(false);
  });
});

describe('npm start on a machine without build tools', () => {
  it('names each missing tool and its packages, and ends with 64', () => {
    const bin = path.join(checkout, 'bin');
    mkdirSync(bin);
    symlinkSync(process.execPath, path.join(bin, 'node'));
    const result = spawnSync(process.execPath, ['scripts/start.mjs'], { cwd: checkout, env: { PATH: bin }, encoding: 'utf8' });
    expect(result.status).toBe(64);
    expect(result.stderr).toMatch(/C\+\+17 compiler.*"apt-get install g\+\+".*"dnf install gcc-c\+\+".*"brew install llvm"/);
    expect(result.stderr).toMatch(/needs CMake, .*"apt-get install cmake"/);
    expect(result.stderr).toMatch(/needs make or ninja, .*"apt-get install make"/);
  });
});

describe('npm test before any package is there', () => {
  it('reads its scripts, and knows its suites', () => {
    const result = spawnSync(process.execPath, ['scripts/test.mjs', 'nothing'], { cwd: checkout, encoding: 'utf8' });
    expect(result.stderr).toMatch(/There is no suite nothing; there are: lint, types/);
    expect(result.status).toBe(64);
  });
});
