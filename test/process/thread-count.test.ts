import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { logLines } from '../support/log-lines.js';
import { DIGITS_2, modelFolder } from '../support/model-folder.js';
import { repositoryRoot, ServerProcess } from '../support/server-process.js';

const BIG_HOST = join(repositoryRoot, 'test/process/scenarios/big-host.mjs');

/** The threads of a server with one model on a host of 64 CPUs, and what it logs of them. */
async function serveOnBigHost(quota: boolean): Promise<{ threads: readonly string[]; start: Readonly<Record<string, unknown>> }> {
  const server = await ServerProcess.start({
    repositories: [modelFolder({ 'digits/2/model.onnx': DIGITS_2 })],
    nodeFlags: ['--import', BIG_HOST],
    env: { QUOTA: quota ? '1' : '0' },
  });
  onTestFinished(() => server.stop().then(() => {}));
  const folder = `/proc/${server.child.pid}/task`;
  const threads = readdirSync(folder).map((thread) => readFileSync(`${folder}/${thread}/comm`, 'utf8').trim());
  const start = logLines(server).find(({ cpu_threads: threads }) => threads !== undefined);
  return { threads, start: start ?? {} };
}

const withoutLanes = (threads: readonly string[]): readonly string[] => threads.filter((name) => name !== 'penstock-lane');

describe('a container on a host of 64 CPUs', () => {
  it('that may use two of them starts a handful of threads', async () => {
    const { threads, start } = await serveOnBigHost(true);
    expect(start).toMatchObject({ cpu_threads: 2, front_end_threads: 1 });
    const free = await serveOnBigHost(false);
    expect(free.start).toMatchObject({ cpu_threads: 64, front_end_threads: 8 });
    // Both have the same threads of Node. Lanes are left out, as a measurement at load says how many run. Only what depends on the CPUs
    // differs: ONNX Runtime's pool (which counts the calling lane in) and the front ends.
    expect(withoutLanes(free.threads).length - withoutLanes(threads).length).toBeGreaterThanOrEqual(64 - 2 + 8 - 1);
    expect(threads.length).toBeLessThanOrEqual(24);
  });
});
