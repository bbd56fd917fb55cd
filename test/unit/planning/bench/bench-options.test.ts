import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OptionsError } from '../../../../src/config/load.js';
import { loadBenchOptions } from '../../../../src/planning/bench/bench-options.js';

const OPEN = ['--model', 'digits', '--rate', '100', '--duration', '5'];

function faultsOf(...args: string[]): readonly string[] {
  try {
    loadBenchOptions(args);
  } catch (thrown) {
    if (thrown instanceof OptionsError) return thrown.faults;
    throw thrown;
  }
  return [];
}

describe('the flags of bench', () => {
  it('are few for an open loop with Poisson arrivals', () => {
    expect(loadBenchOptions(OPEN)).toMatchObject({
      model: 'digits',
      rate: 100,
      duration: 5,
      arrivals: 'poisson',
      closedLoop: null,
      batchSize: 1,
      warmUp: 1,
      seed: 1,
    });
    expect(loadBenchOptions(OPEN).url.href).toBe('http://127.0.0.1:8000/');
  });

  it('take a closed loop and a trace without a rate', () => {
    expect(loadBenchOptions(['--model', 'm', '--closed-loop', '8', '--duration', '1.5'])).toMatchObject({
      rate: null,
      closedLoop: 8,
      duration: 1.5,
    });
    expect(loadBenchOptions(['--model', 'm', '--arrivals', 'trace:t.txt'])).toMatchObject({ rate: null, duration: null });
  });

  it.each([
    [[], 'http://127.0.0.1:8000/', 'http:'],
    [['--protocol', 'grpc'], 'grpc://127.0.0.1:8001', 'grpc:'],
    [['--url', 'grpc://gpu-1:9001'], 'grpc://gpu-1:9001', 'grpc:'],
    [['--url', 'http://gpu-1:9001', '--protocol', 'grpc'], 'grpc://gpu-1:9001', 'grpc:'],
    [['--url', 'http://[::1]:9000/prefix', '--protocol', 'http'], 'http://[::1]:9000/prefix', 'http:'],
  ])('%j take %s', (args, href, protocol) => {
    const { url } = loadBenchOptions([...OPEN, ...args]);
    expect([url.href, url.protocol]).toEqual([href, protocol]);
  });

  it('take a goal, and the calls that share a connection of gRPC', () => {
    expect(loadBenchOptions([...OPEN, '--protocol', 'grpc', '--goal', '12.5', '--streams', '4'])).toMatchObject({
      goalMs: 12.5,
      streams: 4,
    });
    expect(loadBenchOptions(OPEN)).toMatchObject({ goalMs: null, streams: null });
  });

  it('take shapes of inputs, whose names may have colons', () => {
    const { shapes } = loadBenchOptions([...OPEN, '--shape', 'image:1,3,224,224', '--shape', 'serving:ids:1,128']);
    expect([...shapes]).toEqual([
      ['image', [1, 3, 224, 224]],
      ['serving:ids', [1, 128]],
    ]);
  });

  it('are all named when several are wrong', () => {
    expect(faultsOf('--rate', '0', '--seed', 'x', '--data', 'ones', '--arrivals', 'burst')).toEqual([
      '--model is missing: it names the model to measure',
      '--duration is missing: seconds',
      '--arrivals: "burst" is not poisson, constant, gamma:SHAPE or trace:FILE',
      '--data: "ones" is not random or zeros',
      '--rate: "0" is not a number from 0.001 to 10000000',
      `--seed: "x" is not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`,
    ]);
  });

  it.each([
    [['--closed-loop', '2'], '--rate and --closed-loop exclude each other'],
    [['--arrivals', 'trace:f'], '--rate: a trace has its own'],
    [['--url', 'https://localhost'], 'https: is not supported'],
    [['--url', 'grpc://'], 'is not an address such as'],
    [['--url', 'grpc://h:1/path'], '--url: "grpc://h:1/path" has a path; gRPC has none'],
    [['--url', 'grpc://h:1', '--protocol', 'http'], '--protocol http: "grpc://h:1" is an address for gRPC'],
    [['--protocol', 'h2'], '--protocol: "h2" is not http or grpc'],
    [['--streams', '2'], '--streams: only calls of gRPC share a connection'],
    [['--goal', '0'], '--goal: "0" is not a number from 0.001 to 1000000'],
    [['--url', 'localhost:8000'], 'is not an address'],
    [['--shape', 'image'], '--shape: "image" is not NAME:D,D,...'],
    [['--shape', 'image:0'], 'with dimensions above 0'],
    [['--batch-size', '1.5'], 'is not a whole number'],
    [['--rtae', '5'], '--rtae is not a flag of bench; did you mean --rate?'],
  ])('refuse %j', (args, message) => {
    expect(faultsOf(...OPEN, ...args).join('\n')).toContain(message);
  });

  it('refuse a file that could not be written after the run', () => {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-bench-test-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    expect(loadBenchOptions([...OPEN, '--json', join(folder, 'a.json')]).json).toBe(join(folder, 'a.json'));
    expect(faultsOf(...OPEN, '--json', join(folder, 'missing', 'a.json'))).toHaveLength(1);
  });
});
