import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { GpuReaction, type GpuCondition } from '../../../src/lifecycle/gpu-reaction.js';

vi.mock('../../../src/bridge/addon.js', () => ({ addon: {} }));

const good: GpuCondition = { uuid: 'GPU-1', cause: '', text: '', end: undefined, suspect: '' };
const sticky: GpuCondition = { uuid: 'GPU-1', cause: 'sticky-error', text: 'cuX: Y (700)', end: 'gpu-fault', suspect: '' };
const lost: GpuCondition = { uuid: 'GPU-1', cause: 'device-lost', text: 'NVML: the GPU is lost', end: 'gpu-lost', suspect: '' };
const corrupt: GpuCondition = { uuid: 'GPU-1', cause: 'sdc', text: '3 wrong results', end: 'gpu-corrupt', suspect: '' };
const hung: GpuCondition = { uuid: 'GPU-1', cause: 'hang', text: 'a batch has been running for 7.2 s', end: undefined, suspect: '' };

let folder: string;
let terminationLog: string;
let logged: string[];
let exits: number[];
let reaction: GpuReaction;

beforeEach(() => {
  vi.useFakeTimers();
  folder = mkdtempSync(join(tmpdir(), 'penstock-gpu-'));
  terminationLog = join(folder, 'termination-log');
  writeFileSync(terminationLog, '');
  logged = [];
  exits = [];
  reaction = new GpuReaction({
    log: pino({}, { write: (line: string) => void logged.push(line) }),
    exitNow: (code) => exits.push(code),
    terminationLog,
  });
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const terminationText = (): string => readFileSync(terminationLog, 'utf8');

it.each([
  [sticky, 71, 'exit code 71: GPU GPU-1: sticky-error: cuX: Y (700)\n'],
  [lost, 72, 'exit code 72: GPU GPU-1: device-lost: NVML: the GPU is lost\n'],
  [corrupt, 74, 'exit code 74: GPU GPU-1: sdc: 3 wrong results\n'],
])('leaves with the code of the cause and says why: $cause', (condition, code, text) => {
  reaction.follow([good, condition]);
  vi.advanceTimersByTime(499);
  expect(exits).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(exits).toEqual([code]);
  expect(terminationText()).toBe(text);
  expect(JSON.parse(logged.join(''))).toMatchObject({
    level: 60,
    cause: condition.cause,
    gpu_uuid: 'GPU-1',
    exit_code: code,
    msg: text.slice('exit code 71: '.length, -1),
  });
});

it('names the cause that is known when it leaves, and leaves once', () => {
  reaction.follow([sticky]);
  vi.advanceTimersByTime(100);
  reaction.follow([lost]);
  vi.advanceTimersByTime(50);
  reaction.follow([good]);
  vi.advanceTimersByTime(10_000);
  expect(exits).toEqual([72]);
});

it('says beforehand why the watchdog may abort, and takes it back when the hang passes', () => {
  reaction.follow([hung]);
  expect(terminationText()).toBe('exit code 134: GPU GPU-1: hang\n');
  reaction.follow([good]);
  expect(terminationText()).toBe('');
  reaction.follow([hung]);
  reaction.follow([sticky]);
  vi.advanceTimersByTime(500);
  expect(terminationText()).toMatch(/^exit code 71: GPU GPU-1: sticky-error: /);
});

it('does nothing while nothing is wrong', () => {
  reaction.follow([good]);
  vi.advanceTimersByTime(60_000);
  expect([exits, logged, terminationText()]).toEqual([[], [], '']);
});

it('tells at every turn which model would be to blame, and why', () => {
  const told: unknown[] = [];
  reaction = new GpuReaction({ log: pino({}, { write: () => {} }), exitNow: () => {}, blame: (of) => told.push(of), terminationLog });
  reaction.follow([good, { ...hung, suspect: 'digits version 2' }]);
  reaction.follow([good, hung]);
  reaction.follow([{ ...sticky, suspect: 'digits version 2' }]);
  expect(told).toEqual([{ model: 'digits version 2', cause: 'hang' }, undefined, { model: 'digits version 2', cause: 'sticky-error' }]);
});
