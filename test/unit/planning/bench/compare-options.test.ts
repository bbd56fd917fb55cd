import { describe, expect, it } from 'vitest';
import { OptionsError } from '../../../../src/config/load.js';
import { loadCompareOptions } from '../../../../src/planning/bench/compare-options.js';
import { loadDiffOptions } from '../../../../src/planning/bench/diff-options.js';

const LOAD = ['--url', 'http://a:1', '--model', 'digits', '--rate', '100', '--duration', '5'];
const ONE = [...LOAD, '--against', 'http://b:2/path'];

function faultsOf(load: (args: readonly string[]) => unknown, ...args: string[]): string {
  try {
    load(args);
  } catch (thrown) {
    if (thrown instanceof OptionsError) return thrown.faults.join('\n');
    throw thrown;
  }
  return '';
}

describe('the flags of bench compare', () => {
  it('are those of bench and another address', () => {
    const { url, rate, rounds, against } = loadCompareOptions(ONE);
    expect([url.href, rate, rounds]).toEqual(['http://a:1/', 100, 5]);
    expect(against.map((other) => [other.url.href, other.model, other.modelVersion])).toEqual([['http://b:2/path', 'digits', '']]);
  });

  it('name the model once for all others, or for each', () => {
    const two = [...ONE, '--against', 'http://c:3'];
    const models = (...args: string[]): string[] => loadCompareOptions([...two, ...args]).against.map(({ model }) => model);
    expect(models()).toEqual(['digits', 'digits']);
    expect(models('--against-model', 'x')).toEqual(['x', 'x']);
    expect(models('--against-model', 'x', '--against-model', 'y')).toEqual(['x', 'y']);
    const versions = loadCompareOptions([...two, '--model-version', '2', '--against-version', '7']).against;
    expect(versions.map(({ modelVersion }) => modelVersion)).toEqual(['7', '7']);
  });

  it.each([
    [LOAD, '--against is missing'],
    [[...ONE, '--against', 'https://c'], '--against: "https://c" is not an address'],
    [
      [...ONE, '--against-model', 'x', '--against-model', 'y'],
      '--against-model: expected one, or one for each --against, which are 1; found 2',
    ],
    [[...LOAD, '--against', 'grpc://c:1'], '--protocol: servers are compared over HTTP only'],
    [[...ONE, '--protocol', 'grpc'], '--protocol: servers are compared over HTTP only'],
    [[...LOAD, '--against', ''], '--against: the address is empty'],
    [[...ONE, '--rounds', '0'], '--rounds: "0" is not a whole number from 1 to 1000'],
    [[...ONE, '--rouns', '3'], '--rouns is not a flag of bench compare; did you mean --rounds?'],
    [[...ONE, '--rate', '0'], '--rate: "0" is not a number'],
  ])('refuse %j', (args, message) => {
    expect(faultsOf(loadCompareOptions, ...args)).toContain(message);
  });
});

describe('the flags of bench diff', () => {
  it('are two lists of files', () => {
    expect(loadDiffOptions(['a.json,b.json', 'c.json', '--tolerance', '2.5%'])).toEqual({
      before: ['a.json', 'b.json'],
      after: ['c.json'],
      tolerance: 0.025,
      force: false,
    });
    expect(loadDiffOptions(['a', 'b']).tolerance).toBe(0.05);
  });

  it.each([
    [['a.json'], 'expected two results, A.json B.json, found 1'],
    [['a.json', 'b.json', 'c.json'], 'found 3'],
    [['a.json,', 'b.json'], 'the name of a file is empty'],
    [['a', 'b', '--tolerance', '0.05'], '--tolerance: "0.05" is not a percentage such as 5%'],
    [['a', 'b', '--tolerance', '100%'], 'below 100%'],
    [['a', 'b', '--froce'], '--froce is not a flag of bench diff; did you mean --force?'],
  ])('refuse %j', (args, message) => {
    expect(faultsOf(loadDiffOptions, ...args)).toContain(message);
  });
});
