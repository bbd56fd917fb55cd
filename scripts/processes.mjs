/** Child processes of the set-up scripts: looked up, run, timed, and never left behind. */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(fileURLToPath(import.meta.url), '..', '..');

/** All progress goes to stderr, so that stdout belongs to the server or the report. */
export function say(sentence) {
  process.stderr.write(`[penstock] ${sentence}\n`);
}

export function seconds(sinceMs) {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}

/** A failure that the reader can act on: one sentence and an exit code, no stack. */
export class Failure extends Error {
  constructor(exitCode, message) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a script's main function; a `Failure` ends it with its sentences. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (thrown) {
    endGroups('SIGTERM');
    if (!(thrown instanceof Failure)) throw thrown;
    for (const line of thrown.message.split('\n')) say(line);
    process.exitCode = thrown.exitCode;
  }
}

/** Path of a program, or undefined. A name with a slash is looked up as it is, others in PATH. */
export function findProgram(name) {
  const folders = name.includes('/') ? [''] : (process.env.PATH ?? '').split(path.delimiter);
  for (const folder of folders) {
    const candidate = path.join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}

export function exitCodeOfSignal(signal) {
  return 128 + (os.constants.signals[signal] ?? 0);
}

/** Process groups of the programs that run now. They end with us. */
const groups = new Set();

function killGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}

function endGroups(signal) {
  for (const pid of groups) killGroup(pid, signal);
}

function interrupted(signal) {
  endGroups(signal);
  process.exit(exitCodeOfSignal(signal));
}

function entrust(pid) {
  if (groups.size === 0) process.on('SIGINT', interrupted).on('SIGTERM', interrupted);
  groups.add(pid);
}

function release(pid) {
  groups.delete(pid);
  if (groups.size === 0) process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
}

/** Where Linux shares the cores among sessions first (sched_autogroup), a process's own niceness counts only within its session. */
function leaveToOthers(pid, niceness) {
  os.setPriority(pid, niceness);
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // Not shared like that here, or changed too often to be changed again.
  }
}

/**
 * Runs a program to its end, in a process group of its own, so that a time-out or a signal to us ends its children too.
 * Resolves to `{ code, output }`; `output` is both streams when `capture` is set, otherwise they go to our stderr as they come.
 * `input` is fed to stdin. A program that cannot be started, or overran `timeoutMs`, resolves to code 127 or 124.
 * `niceness`: how much it leaves to others, as nice(1) has it.
 */
export function run(program, args, { env, capture = false, input, timeoutMs, niceness = 0 } = {}) {
  return new Promise((resolve) => {
    const stdin = input === undefined ? 'ignore' : 'pipe';
    const sink = capture ? 'pipe' : 2;
    const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env }, stdio: [stdin, sink, sink], detached: true });
    if (child.pid !== undefined) entrust(child.pid);
    if (niceness > 0 && child.pid !== undefined) leaveToOthers(child.pid, niceness);
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    child.stdin?.on('error', () => {}); // The program may end without reading everything.
    child.stdin?.end(input);

    let overran = false;
    const timer =
      timeoutMs &&
      setTimeout(() => {
        overran = true;
        say(`${path.basename(program)} did not end within ${timeoutMs / 1000} s and is killed`);
        killGroup(child.pid, 'SIGKILL');
      }, timeoutMs);

    const finish = (code) => {
      clearTimeout(timer);
      release(child.pid);
      resolve({ code: overran ? 124 : code, output: Buffer.concat(chunks).toString() });
    };
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      finish(127);
    });
    child.on('close', (code, signal) => finish(code ?? exitCodeOfSignal(signal)));
  });
}
