/** A scenario script of test/process/scenarios in a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from './server-process.js';

export interface ScenarioEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the signal, or from the start without one. */
  readonly ms: number;
}

export interface ScenarioOptions {
  readonly nodeFlags?: readonly string[];
  /** A scenario that takes longer is killed, which shows as SIGKILL. */
  readonly withinMs?: number;
  /** A signal to send once the scenario has printed something. */
  readonly signalOnOutput?: NodeJS.Signals;
}

export function runScenario(file: string, args: readonly string[] = [], options: ScenarioOptions = {}): Promise<ScenarioEnd> {
  const { nodeFlags = [], withinMs = 30_000, signalOnOutput } = options;
  const script = join(repositoryRoot, 'test/process/scenarios', file);
  const child = spawn(process.execPath, [...nodeFlags, script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
  let started = performance.now();
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (signalOnOutput === undefined) return;
    started = performance.now();
    child.kill(signalOnOutput);
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, ms: performance.now() - started });
    });
  });
}
