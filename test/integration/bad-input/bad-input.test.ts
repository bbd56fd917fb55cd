import { availableParallelism, loadavg } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient, HttpClient } from '../../support/clients.js';
import { fixtureModels, repositoryRoot, ServerProcess, shippedModels } from '../../support/server-process.js';
import { fp32 } from '../../support/tensors.js';
import { SMALL_LIMIT, type BadCase } from './bad-case.js';
import { corpus, tables } from './corpus.js';
import { LivenessWatch } from './liveness-watch.js';
import { peakGrowth, repeatedGrowth } from './resident-memory.js';
import { Senders, type Outcome } from './senders.js';

const MIB = 1024 * 1024;
const isBomb = (one: BadCase): boolean => one.heavy?.startsWith('inflates') === true;

/** What a reply must never hold: pointers, places of this machine, positions in source, internal names. */
const INTERNALS: readonly RegExp[] = [
  /0x[0-9a-f]{6,}/i,
  /(^|[\s'"(=])\/(home|root|usr|tmp|opt|lib|proc|dev|build)\//m,
  /node_modules|node:internal|\bdist\//,
  /\bat (Object|new|async|process|Module)\b/,
  /\.(js|ts|cc|cpp|h):\d+/,
  /std::|onnxruntime::|penstock::|napi_/,
  /Stacktrace|Traceback|\bshm\b/,
];

let normal: ServerProcess;
let small: ServerProcess;
let toNormal: Senders;
let toSmall: Senders;
let liveness: LivenessWatch;

const send = (one: BadCase): Promise<Outcome> => (one.small === true ? toSmall : toNormal).send(one);

function check(one: BadCase, outcome: Outcome): void {
  expect({ status: outcome.status, message: outcome.message }).toEqual({
    status: one.status,
    message: expect.stringMatching(one.message) as string,
  });
  expect(outcome.text).not.toContain(repositoryRoot);
  for (const internal of INTERNALS) expect(outcome.text).not.toMatch(internal);
}

/** The same without the cost of `expect`, which would take longer than the servers. */
async function sendAgain(one: BadCase): Promise<void> {
  const outcome = await send(one);
  if (outcome.status !== one.status || !one.message.test(outcome.message)) check(one, outcome);
}

/** V8 collects its garbage when so much memory hangs on it: two bodies of 64 MiB. */
async function settle(): Promise<void> {
  for (const bomb of corpus.filter((one) => isBomb(one) && one.send.via === 'http').slice(0, 2)) await send(bomb);
}

async function goodRequestsAreAnswered(server: ServerProcess): Promise<void> {
  const http = new HttpClient(server.httpUrl);
  const grpc = new GrpcClient(server.grpcAddress);
  try {
    const tensor = fp32('INPUT0', [2, 3], [1, -2, 3.5, 0, 1e30, -0.25]);
    const inputs = [{ name: 'INPUT0', datatype: 'FP32', shape: [2, 3], data: [1, -2, 3.5, 0, 1e30, -0.25] }];
    const json = await http.inferJson('identity_fp32', { inputs });
    expect(Buffer.from(Float32Array.from(json.outputs[0]?.data as number[]).buffer)).toEqual(tensor.raw);
    const expected = [{ name: 'OUTPUT0', datatype: 'FP32', shape: [2, 3], raw: tensor.raw }];
    expect(await http.inferBinary('identity_fp32', [tensor])).toMatchObject(expected);
    expect(await grpc.inferRaw('identity_fp32', [tensor])).toMatchObject(expected);
  } finally {
    grpc.close();
    await http.close();
  }
}

beforeAll(async () => {
  const repositories = [fixtureModels, shippedModels];
  // What settles the memory of one front-end thread would pass the others by.
  const flags = ['--front-end-threads', '1'];
  [normal, small] = await Promise.all([
    ServerProcess.start({ repositories, flags }),
    ServerProcess.start({ repositories, flags: [...flags, '--max-request-bytes', String(SMALL_LIMIT)] }),
  ]);
  toNormal = new Senders(normal.ports);
  toSmall = new Senders(small.ports);
  liveness = new LivenessWatch([normal.httpUrl, normal.managementUrl, small.httpUrl].map((url) => `${url}/livez`));
});

afterAll(async () => {
  toNormal?.close();
  toSmall?.close();
  await Promise.all([normal?.stop(), small?.stop()]);
});

// First of all, while nothing has filled the server's heaps yet.
describe('a compressed bomb', () => {
  it.each(corpus.filter(isBomb).map((one) => [one.name, one] as const))('takes less than 200 MiB: %s', async (_name, bomb) => {
    const server = bomb.small === true ? small : normal;
    const growth = await peakGrowth(server, async () => check(bomb, await send(bomb)));
    expect(growth).toBeLessThan(200 * MIB);
  });
});

describe.each(Object.entries(tables))('%s', (_table, cases) => {
  it.each(cases.map((one) => [`${one.row}: ${one.name}`, one] as const))('refuses %s', async (_name, one) => check(one, await send(one)));
});

describe('a server that has refused all of that', () => {
  it('has at least 300 different requests behind it', () => {
    expect(new Set(corpus.map((one) => `${one.row} ${one.name}`)).size).toBe(corpus.length);
    expect(corpus.length).toBeGreaterThanOrEqual(300);
  });

  it('answers good requests of each encoding', async () => {
    await goodRequestsAreAnswered(normal);
    await goodRequestsAreAnswered(small);
  });

  it('grows by no more than 8 MiB while every request is sent a hundred times', { timeout: 240_000 }, async () => {
    const light = corpus.filter((one) => one.heavy === undefined);
    const again = { rounds: 100, atOnce: 16, action: sendAgain, settle };
    // A leak shows every time. A heap that V8 or malloc made larger once, and fills from then on, does not.
    let growth = Infinity;
    for (let window = 0; window < 3 && growth > 8 * MIB; window++) {
      [growth = Infinity] = await repeatedGrowth([normal], light, { ...again, warmUp: window === 0 ? 40 : 0 });
    }
    expect(growth / MIB).toBeLessThanOrEqual(8);
  });

  it('grows by no more than 8 MiB while the heavy ones are sent again and again', { timeout: 240_000 }, async () => {
    const heavy = corpus.filter((one) => one.heavy !== undefined);
    // A leak shows every time. Pieces of 10 MiB messages that an arena of malloc keeps from one moment on do not.
    let least = [Infinity, Infinity];
    for (let window = 0; window < 3 && Math.max(...least) > 4 * MIB; window++) {
      const options = { warmUp: window === 0 ? 4 : 0, rounds: 3, atOnce: 1, action: sendAgain, settle };
      const growths = await repeatedGrowth([normal, small], heavy, options);
      least = least.map((growth, index) => Math.min(growth, growths[index] ?? Infinity));
    }
    for (const growth of least) expect(growth / MIB).toBeLessThanOrEqual(4);
  });

  it('has been live all the time', async () => {
    const { failures, answers, slowestMs } = await liveness.stop();
    // Where others keep the machine busy, everything waits for its turn.
    const limitMs = 1000 * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism() / 2);
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(20);
    for (const [url, ms] of Object.entries(slowestMs)) expect(ms, url).toBeLessThan(limitMs);
  });

  it('has logged no fault but failed runs of models', () => {
    const faults = [...normal.lines, ...small.lines].map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(faults.filter((line) => line['level'] === 'error' && line['code'] !== 'ERR_MODEL_RUN')).toEqual([]);
    expect(faults.filter((line) => line['level'] === 'fatal')).toEqual([]);
    expect([normal.child.exitCode, small.child.exitCode]).toEqual([null, null]);
  });

  it('still answers good requests', async () => {
    await goodRequestsAreAnswered(normal);
    await goodRequestsAreAnswered(small);
  });
});
