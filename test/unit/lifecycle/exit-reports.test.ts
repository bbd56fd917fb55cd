import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOptions } from '../../../src/config/load.js';
import { ServerError } from '../../../src/errors.js';
import { exitCodeOf } from '../../../src/lifecycle/exit-codes.js';
import type { FrontEndPlan } from '../../../src/lifecycle/front-end-plan.js';
import { memoryBound } from '../../../src/lifecycle/memory-bound.js';
import { clearReadyFile, writeReadyFile } from '../../../src/lifecycle/ready-file.js';
import { writeTerminationLog } from '../../../src/lifecycle/termination-log.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-exit-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('maps failures to exit codes, and everything unforeseen to 70', () => {
  expect(exitCodeOf(new ServerError('ERR_CONFIG_OPTION', ''))).toBe(64);
  expect(exitCodeOf(new ServerError('ERR_PORT_BUSY', ''))).toBe(64);
  expect(exitCodeOf(new ServerError('ERR_MODEL_LOAD', ''))).toBe(73);
  expect(exitCodeOf(new ServerError('ERR_GPU_FAULT', ''))).toBe(71);
  expect(exitCodeOf(new ServerError('ERR_GPU_LOST', ''))).toBe(72);
  expect(exitCodeOf(new ServerError('ERR_GPU_UNAVAILABLE', ''))).toBe(73);
  expect(exitCodeOf(new ServerError('ERR_PULL_SOURCE', ''))).toBe(75);
  expect(exitCodeOf(new ServerError('ERR_PULL_REFUSED', ''))).toBe(73);
  expect(exitCodeOf(new ServerError('ERR_PULL_TARGET', ''))).toBe(73);
  expect(exitCodeOf(new TypeError('a bug'))).toBe(70);
});

describe('the termination log', () => {
  it('gets one line of at most 4096 bytes', () => {
    const path = join(folder, 'termination-log');
    writeFileSync(path, '');
    writeTerminationLog('first\nsecond', path);
    expect(readFileSync(path, 'utf8')).toBe('first; second\n');
    writeTerminationLog('x'.repeat(5000), path);
    expect(readFileSync(path)).toHaveLength(4096);
  });

  it('keeps nothing of an earlier, longer line, and can take a line back', () => {
    const path = join(folder, 'termination-log');
    writeFileSync(path, '');
    writeTerminationLog('a long first line', path);
    writeTerminationLog('short', path);
    expect(readFileSync(path, 'utf8')).toBe('short\n');
    writeTerminationLog('', path);
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('is not made where there is none', () => {
    writeTerminationLog('text', join(folder, 'none'));
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});

describe('the ready file', () => {
  it('replaces what an earlier server left and leaves nothing beside it', () => {
    const path = join(folder, 'ready');
    writeFileSync(path, 'stale');
    clearReadyFile(path);
    expect(existsSync(path)).toBe(false);
    writeReadyFile(path, { http: 1, grpc: null, management: 3 });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ http: 1, grpc: null, management: 3 });
    expect(readdirSync(folder)).toEqual(['ready']);
  });

  it('names its option when it cannot be written', () => {
    expect(() => writeReadyFile(join(folder, 'no/such/place'), { http: 1, grpc: 2, management: 3 })).toThrow(/^--ready-file: /);
  });
});

describe('the bound of request memory', () => {
  const small = ['--max-request-bytes=10', '--max-connections=3', '--grpc-max-concurrent-streams=7', '--max-in-flight-requests=5'];
  const bound = (plan: Pick<FrontEndPlan, 'kind' | 'loops' | 'threads'>, ...flags: string[]) =>
    memoryBound(loadOptions(flags, {}).options, { ...plan, reason: '' });
  const js = (...flags: string[]) => bound({ kind: 'js', loops: 0, threads: 2 }, ...flags);
  const native = (...flags: string[]) => bound({ kind: 'native', loops: 1, threads: 2 }, ...flags);

  it('follows the limits, and says when there is none', () => {
    const nothingBetween = { passedOnGrpcBytes: 0, tunnelBytes: 0 };
    expect(js(...small, '--max-in-flight-bytes=40')).toEqual({
      receivingHttpBytes: 30,
      receivingGrpcBytes: 210,
      ...nothingBetween,
      acceptedBytes: 40,
    });
    expect(js(...small, '--max-in-flight-bytes=0', '--allow-grpc=false')).toEqual({
      receivingHttpBytes: 30,
      receivingGrpcBytes: 0,
      ...nothingBetween,
      acceptedBytes: 50,
    });
    expect(js('--max-in-flight-bytes=0', '--max-in-flight-requests=0').acceptedBytes).toBeNull();
  });

  it('shares --max-receiving-bytes out: each thread takes in one request of the largest size at least', () => {
    expect(js(...small, '--max-receiving-bytes=22').receivingHttpBytes).toBe(22);
    expect(js(...small, '--max-receiving-bytes=10').receivingHttpBytes).toBe(20);
  });

  it('counts gRPC within it where loops take it in, and what is on its way between them and JavaScript', () => {
    expect(native(...small, '--max-receiving-bytes=60', '--max-in-flight-bytes=40')).toEqual({
      receivingHttpBytes: 30,
      receivingGrpcBytes: 20,
      passedOnGrpcBytes: 210,
      tunnelBytes: 3 * 512 * 1024,
      acceptedBytes: 40,
    });
    expect(native(...small, '--max-receiving-bytes=0').receivingGrpcBytes).toBe(210);
    expect(native(...small, '--allow-grpc=false')).toMatchObject({ receivingGrpcBytes: 0, passedOnGrpcBytes: 0 });
    expect(native(...small, '--allow-http=false')).toMatchObject({ receivingHttpBytes: 0, tunnelBytes: 0 });
  });
});
