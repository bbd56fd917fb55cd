import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { inferPath } from '../support/clients.js';
import { MetricsPage } from '../support/prometheus.js';
import { jsonRequest } from '../support/protocols.js';
import { ServerProcess } from '../support/server-process.js';
import { fp32 } from '../support/tensors.js';

const CONNECTIONS = 64;
const ROUNDS = 3;
const PROBES = 100;
const LIMIT_MS = 50;

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start();
});

afterAll(async () => {
  await server.stop();
});

/** 64 connections that never rest, in a process of their own so that they do not delay the measurement. */
async function saturate(): Promise<void> {
  const url = server.httpUrl + inferPath('digits');
  const script = fileURLToPath(new URL('../support/saturate.mjs', import.meta.url));
  const load = spawn(process.execPath, [script, url, String(CONNECTIONS)], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void load.kill('SIGKILL'));
  load.stdin.end(jsonRequest({ model: 'digits', inputs: [fp32('image', [1, 1, 8, 8], Array<number>(64).fill(1))] }));
  await once(load.stdout, 'data');
}

/** Milliseconds of one probe over a connection that is kept. */
function probe(agent: http.Agent): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.get(`${server.managementUrl}/ready`, { agent }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - started);
        else reject(new Error(`the probe answered ${response.statusCode}`));
      });
    });
    request.on('error', reject);
  });
}

async function p99OfRound(agent: http.Agent): Promise<number> {
  const latencies: number[] = [];
  for (let i = 0; i < PROBES; i++) {
    latencies.push(await probe(agent));
    await sleep(10);
  }
  return latencies.sort((a, b) => a - b)[Math.ceil(PROBES * 0.99) - 1] ?? Infinity;
}

it(`answers probes within ${LIMIT_MS} ms (99 of 100) while ${CONNECTIONS} connections saturate the front end`, async () => {
  await saturate();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const requests = async (): Promise<number> =>
    (await MetricsPage.of(server.managementUrl)).value('nv_inference_request_success', { model: 'digits', version: '2' });
  const before = await requests();
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await p99OfRound(agent));
  // The load was real: it got far more answers than the probes did.
  expect((await requests()) - before).toBeGreaterThan(10 * ROUNDS * PROBES);
  console.info(`p99 of ${PROBES} probes, ${ROUNDS} rounds: ${rounds.map((ms) => ms.toFixed(1)).join(', ')} ms`);
  // Of several rounds the middle one, because the machine has other work now and then.
  expect(rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]).toBeLessThan(LIMIT_MS);
});
