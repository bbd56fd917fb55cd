/** Contenders in processes of their own: the server, Node programs, the bare loop; and the CPU time they use. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './record.mjs';

const START_SECONDS = 60;
/** ONNX Runtime's library of the package. */
export const ORT = path.join(
  path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  `bin/napi-v6/linux/${process.arch}/libonnxruntime.so.1`,
);

/** For files of this run; removed at its end. */
export const scratch = mkdtempSync(path.join(tmpdir(), 'penstock-bench-'));
const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

/** Builds the native programs of bench/; returns the folder they are in. */
export function buildReferences() {
  const folder = path.join(root, 'build/bench');
  for (const args of [
    ['-S', root, '-B', folder, '-DCMAKE_BUILD_TYPE=Release', '-DBUILD_ADDON=OFF', '-DBUILD_BENCH=ON'],
    [
      '--build',
      folder,
      '--target',
      'json_decode',
      'bare_run',
      'http_load',
      'batching_policy',
      'grpc_echo',
      'penstock-loadgen',
      'gpu_ceiling',
      'gpu_drill',
      'gpu_graphs',
      '-j2',
    ],
  ]) {
    const { status, stdout, stderr } = spawnSync('cmake', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`cmake ${args.join(' ')} failed:\n${stdout}${stderr}`);
  }
  return folder;
}

let started = 0;

/** Starts a Node program that writes its ports as JSON to a file once it serves. `args` gets the file's name. */
export const startNode = (args) => startProgram(process.execPath, args);

/** As `startNode`, for any program. */
export async function startProgram(program, args) {
  const readyFile = path.join(scratch, `ready-${++started}.json`);
  // What our server sets for itself: the reference does not pay for ONNX Runtime's reports either.
  const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1' };
  const child = spawn(program, args(readyFile), { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'] });
  children.add(child);
  const exited = once(child, 'exit').finally(() => children.delete(child));
  const name = args(readyFile).find((arg) => /\.m?js$/.test(arg)) ?? path.basename(program);
  const deadline = performance.now() + START_SECONDS * 1000;
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode} before it served`);
    if (performance.now() > deadline) throw new Error(`${name} does not serve after ${START_SECONDS} s`);
    await sleep(20);
  }
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  return { ...JSON.parse(readFileSync(readyFile, 'utf8')), pid: child.pid, stop };
}

/** The server over a model repository, on free ports: {http, grpc, management, pid, stop}. `nodeOptions` hold for all its threads. */
export function startServer(repository, options = [], nodeOptions = []) {
  return startNode((readyFile) => [
    ...nodeOptions, 'dist/main.js', 'serve', '--model-repository', repository, '--drain-delay-secs', '0', '--exit-timeout-secs', '1', '--exit-on-error', 'true',
    '--host', '127.0.0.1', '--http-port', '0', '--grpc-port', '0', '--metrics-port', '0', '--log-level', 'error', '--ready-file', readyFile,
    ...options,
  ]); // prettier-ignore
}

/** One loop over a model, nothing around it: {medianUs, rows, wallS, cpuS}. */
export function bareRun(model, { threads, batch, seconds }) {
  const program = path.join(root, 'build/bench/bare_run');
  return JSON.parse(execFileSync(program, [ORT, model, String(threads), String(batch), String(seconds)], { encoding: 'utf8' }));
}

/** A generator of load. Resolves when it has ended; rejects when it failed. */
export async function runLoad(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  children.add(child);
  const [code, signal] = await once(child, 'exit');
  children.delete(child);
  if (code !== 0) throw new Error(`${path.basename(program)} ended with ${code ?? signal}`);
}

/** Seconds of the clock that the generators stamp their records with. */
export const monotonicSeconds = () => Number(process.hrtime.bigint()) / 1e9;

/** CPU seconds so far of the threads of a process, by thread name. */
export function cpuByThread(pid) {
  const seconds = {};
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    const name = readFileSync(`${folder}/comm`, 'utf8').trim();
    const [nanoseconds] = readFileSync(`${folder}/schedstat`, 'utf8').split(' ');
    seconds[name] = (seconds[name] ?? 0) + Number(nanoseconds) / 1e9;
  }
  return seconds;
}

/** CPU seconds so far of all threads of a process. */
export const cpuSeconds = (pid) => Object.values(cpuByThread(pid)).reduce((sum, seconds) => sum + seconds, 0);
