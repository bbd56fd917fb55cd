import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors.js';
import { read, root } from './tree.js';

const table = Object.entries(ERRORS).map(([code, { number }]) => [number, code] as const);

/** `[number, code]` of each row of PENSTOCK_STATUS_TABLE but OK, which is no error. */
function nativeTable(): (readonly [number, string])[] {
  const definition = /#define PENSTOCK_STATUS_TABLE\(X\)((?:.*\\\n)*.*)/.exec(read('native/base/status.h'))?.[1] ?? '';
  const rows = [...definition.matchAll(/X\((\d+),\s*k\w+,\s*"(\w+)"\)/g)].map((match) => [Number(match[1]), match[2] ?? ''] as const);
  return rows.filter(([number]) => number !== 0);
}

/** Rows of the Markdown table that follows `<!-- errors -->`, as lists of cells. */
function readmeRows(readme: string): string[][] {
  const block = /<!-- errors -->\s*\n((?:\|.*\n?)+)/.exec(readme)?.[1] ?? '';
  return block
    .split('\n')
    .filter((line) => line.includes('ERR_'))
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim().replaceAll('`', ''))
        .filter((cell) => cell !== ''),
    );
}

describe('the one table of failures', () => {
  it('gives every code a number of its own', () => {
    expect(new Set(table.map(([number]) => number)).size).toBe(table.length);
  });

  it('names codes ERR_<AREA>_<FACT> or ERR_<FACT>', () => {
    expect(table.filter(([, code]) => !/^ERR(_[A-Z]+)+$/.test(code))).toEqual([]);
  });

  it('has the same numbers and codes in TypeScript and in native code', () => {
    expect(nativeTable()).toEqual(table);
  });

  it('is the table of the README', (context) => {
    const readme = existsSync(path.join(root, 'README.md')) ? read('README.md') : '';
    if (!readme.includes('<!-- errors -->')) {
      const reason = 'README.md has no error table yet (marker <!-- errors -->): nothing to compare';
      console.warn(reason);
      context.skip(reason);
    }
    const rows = readmeRows(readme);
    const expected = Object.entries(ERRORS).map(([code, { number, meaning }]) => ({ code, number: String(number), meaning }));
    const found = rows.map((cells) => ({
      code: cells.find((cell) => cell.startsWith('ERR_')),
      number: cells.find(
        (cell) => /^\d{3}$/.test(cell) && Number(cell) === ERRORS[cells.find((c) => c in ERRORS) as keyof typeof ERRORS]?.number,
      ),
      meaning: cells.at(-1),
    }));
    expect(found).toEqual(expected);
  });
});
