/** Programs that check k8s/, found where scripts/kubernetes-tools.mjs looks for them. */
import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../support/server-process.js';

const FOLDERS = ['build/kubernetes/bin', 'build/prometheus/usr/bin'].map((folder) => join(repositoryRoot, folder));

/** The environment in which the programs are found by name. */
export const toolEnvironment = { ...process.env, PATH: [process.env['PATH'], ...FOLDERS].join(delimiter) };

/** Rejects, with what it wrote, when the program ends with another code than 0, or not within a minute. */
export function runTool(name: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(name, args, { env: toolEnvironment, maxBuffer: 1 << 26, timeout: 60_000 });
}
