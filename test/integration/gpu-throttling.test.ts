/** A GPU that is slowed down by heat, on the fake driver: it is told, it stays ready, and no more is let in than it can answer in time. */
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { buildFakeGpu, FakeGpuScript, startOnFakeGpu } from '../support/fake-gpu.js';
import { logLines, untilLogged } from '../support/log-lines.js';
import { modelFolder } from '../support/model-folder.js';
import { MetricsPage } from '../support/prometheus.js';
import type { ServerProcess } from '../support/server-process.js';

/** A batch of one takes so long, on top of what the machine needs. */
const COOL = ['gpus 1', 'ort delay RunWithBinding 20ms'];
const HOT = ['gpus 1', 'nvml 0 throttle 0x40', 'ort delay RunWithBinding 120ms'];

/** More than the GPU answers within the goal when it is cool. */
const BURST = 120;

/** One batch after the other, of one request each, which is to be answered within a second. */
const CONFIG = {
  max_batch_size: 1,
  instance_group: [{ kind: 'KIND_GPU', count: 1 }],
  parameters: { latency_goal_ms: { string_value: '1000' } },
};

const REQUEST = JSON.stringify({
  inputs: ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [1, 16], data: Array<number>(16).fill(1) })),
});

beforeAll(buildFakeGpu, 600_000);

async function infer(server: ServerProcess): Promise<number> {
  const answer = await fetch(`${server.httpUrl}/v2/models/add_sub/infer`, { method: 'POST', body: REQUEST });
  await answer.arrayBuffer();
  return answer.status;
}

/** How many of the requests that come at once are answered; the others are refused. */
async function answeredOfBurst(server: ServerProcess): Promise<number> {
  const statuses = await Promise.all(Array.from({ length: BURST }, () => infer(server)));
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
  return statuses.filter((status) => status === 200).length;
}

/** Bursts until what is answered of them fits: the server learns from its own runs, so it needs some. */
async function untilAnswered(server: ServerProcess, fits: (answered: number) => boolean): Promise<void> {
  const seen: number[] = [];
  for (const deadline = performance.now() + 60_000; performance.now() < deadline;) {
    seen.push(await answeredOfBurst(server));
    if (fits(seen.at(-1) ?? 0)) return;
  }
  throw new Error(`of ${BURST} requests were answered, burst after burst: ${seen.join(', ')}`);
}

it('lets less in while the GPU is throttled and as much as before afterwards, and stays ready', async () => {
  const script = new FakeGpuScript(COOL);
  onTestFinished(() => script.remove());
  const files = { 'add_sub/1/model.onnx': { copyOf: 'models/add_sub/1/model.onnx' }, 'add_sub/config.json': JSON.stringify(CONFIG) };
  const flags = ['--metrics-interval-ms', '50', '--gpu-probe-interval-secs', '0', '--gpu-watchdog-ms', '60000'];
  const server = await startOnFakeGpu(script, { repositories: [modelFolder(files)], flags });
  onTestFinished(() => server.stop().then(() => {}));
  const isReady = async (): Promise<boolean> => (await fetch(`${server.managementUrl}/ready`)).status === 200;
  const causes = async (): Promise<unknown[]> =>
    (await MetricsPage.of(server.managementUrl)).all('penstock_gpu_health').map(({ labels }) => labels['cause']);
  await answeredOfBurst(server);
  const cool = await answeredOfBurst(server);

  script.write(HOT);
  await untilLogged(server, ({ cause, level }) => cause === 'throttled' && level === 'warn');
  await untilAnswered(server, (answered) => answered > 0 && answered < cool / 2);
  expect([await isReady(), await causes()]).toEqual([true, ['throttled']]);

  // At the edge: what is told does not flap with it.
  for (const lines of [COOL, HOT, COOL, HOT]) {
    script.write(lines);
    await infer(server);
  }
  expect(logLines(server).filter(({ cause }) => cause === 'throttled')).toHaveLength(1);

  script.write(COOL);
  await untilAnswered(server, (answered) => answered > cool * 0.8);
  await untilLogged(server, ({ cause, msg }) => cause === 'throttled' && msg.endsWith('has passed'), 30_000);
  expect([await isReady(), await causes()]).toEqual([true, ['ok']]);
  const lines = logLines(server);
  const ready = lines.findIndex(({ msg }) => msg === 'ready');
  expect(lines.slice(ready).filter(({ msg }) => msg === 'not ready')).toEqual([]);
}, 180_000);
