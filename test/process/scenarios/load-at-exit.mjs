/**
 * Leaves while a model file is being read. The file is a pipe, so reading it takes until somebody has written to it.
 * Usage: node load-at-exit.mjs HOW
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { addon, expect, onCpu, startEngine } from './engine.mjs';

const folder = mkdtempSync(join(tmpdir(), 'penstock-load-'));
const pipe = join(folder, 'model.onnx');
execFileSync('mkfifo', [pipe]);
process.on('exit', () => rmSync(folder, { recursive: true }));
const endLoadLater = (seconds) => spawn('sh', ['-c', `sleep ${seconds}; : > "${pipe}"`], { stdio: 'ignore' });

startEngine();

const WAYS = {
  'process.exit without any care': () => process.exit(7),
  /** What the server does: see src/lifecycle/guarded-engine.ts. */
  'process.exit before the load ends': () => {
    process.on('exit', (code) => {
      expect(addon.stopEngine() === false, 'stopEngine to say that a load goes on');
      addon.exitNow(code);
    });
    process.exit(7);
  },
  'stopEngine while the load ends': () => {
    endLoadLater(0.3);
    expect(addon.stopEngine() === true, 'stopEngine to wait for the load');
  },
  'the load ends after its worker': async () => {
    const worker = new Worker(new URL('loading-worker.mjs', import.meta.url), { workerData: pipe });
    await new Promise((resolve) => worker.once('message', resolve));
    await sleep(50);
    await worker.terminate();
    endLoadLater(0);
    expect(addon.stopEngine() === true, 'the abandoned load to end');
  },
};

const how = process.argv[2];
if (how !== 'the load ends after its worker') {
  addon.openSession(onCpu(pipe)).catch(() => {});
  await sleep(50);
}
await WAYS[how]();
