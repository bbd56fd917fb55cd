/** The server on the GPU of this machine: no fake driver, ONNX Runtime's own CUDA provider. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MetricsPage } from '../support/prometheus.js';
import { ProtocolClients } from '../support/protocols.js';
import { repositoryRoot, ServerProcess } from '../support/server-process.js';
import { fp32 } from '../support/tensors.js';

const PICTURES = 1797;
const PIXELS = 64;
const BATCH = 64;

let server: ServerProcess;
let clients: ProtocolClients;

beforeAll(async () => {
  server = await ServerProcess.start({ flags: ['--gpu-probe-interval-secs', '1'], readyWithinMs: 120_000 });
  clients = new ProtocolClients(server);
}, 180_000);

afterAll(async () => {
  await clients.close();
  expect(await server.stop()).toBe(0);
});

const get = async (path: string): Promise<unknown> => (await fetch(`${server.httpUrl}${path}`)).json();

describe('the shipped models', () => {
  it('run on the GPU, which their configuration says', async () => {
    const config = (await get('/v2/models/digits/config')) as { instance_group: readonly { kind: string; gpus: readonly number[] }[] };
    expect(config.instance_group.map(({ kind }) => kind)).toEqual(['KIND_GPU']);
    expect(config.instance_group[0]?.gpus.length).toBeGreaterThan(0);
  });

  it('hold memory of the GPU, which the statistics say', async () => {
    const { model_stats: stats } = (await get('/v2/models/digits/stats')) as {
      model_stats: readonly { memory_usage: readonly { type: string; byte_size: number }[] }[];
    };
    const held = stats.flatMap(({ memory_usage: usage }) => usage).filter(({ type }) => type === 'GPU');
    expect(held.length).toBeGreaterThan(0);
  });

  it('recognise the digits', async () => {
    const file = readFileSync(join(repositoryRoot, 'test/fixtures/digits.bin'));
    let right = 0;
    for (let from = 0; from < PICTURES; from += BATCH) {
      const pixels = file.subarray(from * PIXELS, Math.min(from + BATCH, PICTURES) * PIXELS);
      const { outputs } = await clients.infer('gRPC raw', {
        model: 'digits',
        inputs: [fp32('image', [pixels.length / PIXELS, 1, 8, 8], pixels)],
      });
      const labels = outputs.find(({ name }) => name === 'label')?.raw ?? Buffer.alloc(0);
      for (let i = 0; i < labels.length / 8; i++)
        right += Number(Number(labels.readBigInt64LE(i * 8)) === file[PICTURES * PIXELS + from + i]);
    }
    expect(right / PICTURES).toBeGreaterThan(0.95);
  });
});

describe('the health of the GPU', () => {
  it('is examined by probe and canary without a mismatch, and /ready tells numbers', async () => {
    await sleep(5000);
    const page = await MetricsPage.of(server.managementUrl);
    const sum = (name: string): number => page.all(name).reduce((total, { value }) => total + value, 0);
    expect(sum('penstock_gpu_probe_runs_total')).toBeGreaterThan(2);
    expect(sum('penstock_gpu_probe_mismatches_total')).toBe(0);
    expect(sum('nv_gpu_memory_total_bytes')).toBeGreaterThan(2 ** 30);
    expect(sum('nv_gpu_memory_used_bytes')).toBeGreaterThan(0);
    const answer = await fetch(`${server.managementUrl}/ready`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toMatch(/GPU-[0-9a-f]/);
  });
});
