/** Clients that only hold their connections, or are slow beyond all measure: they are ended in time, and cost nothing until then. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Attacker, connectMany } from '../support/attacker.js';
import { inferMessage } from '../support/clients.js';
import { endure } from '../support/endured-attack.js';
import { body, callHead, PREFACE, SETTING, settings, streamId } from '../support/http2-frames.js';
import { cpuMs, openDescriptors } from '../support/process-use.js';
import { MetricsPage } from '../support/prometheus.js';
import { frame as messageFrame } from '../support/raw-grpc.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { int64 } from '../support/tensors.js';

const MIB = 2 ** 20;
const HEADERS_MS = 2000;
const REQUEST_MS = 4000;
const SLOW_CLIENTS = 60;
/** Of an end that is due already: a machine that is slow and busy. */
const ENDED_WITHIN_MS = 20_000;
const INFER = '/inference.GRPCInferenceService/ModelInfer';

const HELD_MS = 1500;
/** While it has nothing to do. What is here is for the client that behaves; a thread that spins takes five times as much. */
const MOST_HELD_MS = 300;

/** What the server computes while nothing happens. */
async function heldCpuMs(server: ServerProcess): Promise<number> {
  const before = cpuMs(server);
  await sleep(HELD_MS);
  return cpuMs(server) - before;
}

async function untilAllEnded(attackers: readonly Attacker[]): Promise<void> {
  const left = (): number => attackers.filter(({ hasEnded }) => !hasEnded).length;
  await expect.poll(left, { timeout: ENDED_WITHIN_MS, interval: 100 }).toBe(0);
}

describe.each(['native', 'js'])('the %s front end', (kind) => {
  let server: ServerProcess;
  beforeAll(async () => {
    const times = ['--http-headers-timeout-ms', String(HEADERS_MS), '--http-request-timeout-ms', String(REQUEST_MS)];
    server = await ServerProcess.start({ flags: ['--front-end', kind, '--front-end-threads', '2', ...times] });
  });
  afterAll(() => server.stop());

  it('ends clients that send heads, bodies and the preface of HTTP/2 byte by byte', async () => {
    const head = 'POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: x\r\n';
    const slow = [
      { port: 'http', first: head, piece: 'a' },
      // A line ends with each piece: the head is looked at anew.
      { port: 'http', first: head, piece: 'a:\r\n' },
      { port: 'http', first: `${head}Content-Length: 1000\r\n\r\n`, piece: ' ' },
      { port: 'http', first: `${head}Transfer-Encoding: chunked\r\n\r\n`, piece: '1\r\n \r\n' },
      { port: 'grpc', first: 'PRI', piece: ' ' },
    ] as const;
    const use = await endure(server, async () => {
      const groups = await Promise.all(
        slow.map(async ({ port, first, piece }) => {
          const attackers = await connectMany(server.ports[port], SLOW_CLIENTS);
          for (const attacker of attackers) await attacker.send(Buffer.from(first));
          const goOn = (): void => attackers.forEach((one) => void (one.hasEnded || one.socket.write(piece)));
          return { attackers, port, timer: setInterval(goOn, 150) };
        }),
      );
      try {
        await untilAllEnded(groups.flatMap(({ attackers }) => attackers));
      } finally {
        for (const { timer } of groups) clearInterval(timer);
      }
      const ofHttp = groups.filter(({ port }) => port === 'http').flatMap(({ attackers }) => attackers);
      for (const one of ofHttp) expect(one.received.toString('latin1')).toMatch(/^HTTP\/1\.1 408 /);
      return groups.flatMap(({ attackers }) => attackers);
    });
    // A block of what was received for the last bytes of each would be 19 MiB.
    if (kind === 'native') expect(use.grownBytes).toBeLessThan(16 * MIB);
  });
});

describe('the native front end', () => {
  it('lets go of answers that no window takes, which the limit on bytes in flight counts until then', async () => {
    const CONNECTIONS = 4;
    const CALLS = 100;
    const ANSWER_BYTES = 64 * 1024;
    const flags = ['--front-end', 'native', '--front-end-threads', '1', '--http-request-timeout-ms', String(REQUEST_MS)];
    const server = await ServerProcess.start({ repositories: [fixtureModels, shippedModels], flags });
    onTestFinished(async () => void (await server.stop()));
    const inFlight = async (): Promise<number> => (await MetricsPage.of(server.managementUrl)).value('penstock_in_flight_bytes');
    const call = messageFrame(inferMessage('big_out', [int64('n', [1], [BigInt(ANSWER_BYTES / 4)])]));
    const calls = Array.from({ length: CALLS }, (_, index) => [callHead(streamId(index), INFER), body(streamId(index), call)]);
    const attack = Buffer.concat([PREFACE, settings([SETTING.initialWindowSize, 0]), ...calls.flat()]);
    const use = await endure(server, async () => {
      const attackers = await connectMany(server.ports.grpc, CONNECTIONS);
      for (const attacker of attackers) await attacker.send(attack);
      await expect.poll(inFlight, { timeout: ENDED_WITHIN_MS }).toBeGreaterThan(CONNECTIONS * ANSWER_BYTES);
      await untilAllEnded(attackers);
      return attackers;
    });
    expect(await inFlight()).toBe(0);
    // All of the answers at one time, and as much again for what the models were run with.
    expect(use.grownBytes).toBeLessThan(2 * CONNECTIONS * CALLS * ANSWER_BYTES + 16 * MIB);
  });

  it('holds 10,000 clients that say nothing at the cost of little memory, and ends them', async () => {
    const clients = mostClients(10_000);
    const flags = ['--front-end', 'native', '--front-end-threads', '2', '--max-connections', String(clients)];
    const server = await ServerProcess.start({ flags });
    onTestFinished(async () => void (await server.stop()));
    let held = 0;
    const use = await endure(server, async () => {
      const start = performance.now();
      const ports = [server.ports.http, server.ports.grpc];
      const attackers = (await Promise.all(ports.map((port) => connectMany(port, clients / 2)))).flat();
      // They stay for 10 s, the default, from when each has come.
      if (performance.now() - start < 9000) expect(openDescriptors(server)).toBeGreaterThan(clients);
      held = await heldCpuMs(server);
      await untilAllEnded(attackers);
      return attackers;
    });
    expect(held).toBeLessThan(MOST_HELD_MS);
    // nghttp2's tables are most of it: what a server can hold is then bounded by --max-connections.
    expect(use.grownBytes).toBeLessThan(clients * 16 * 1024);
  });
});

/** As many as this process, which Node gives all the descriptors that it may have, and the server, which is told so, can both have. */
function mostClients(wanted: number): number {
  const limits = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  const most = Math.min(wanted, Number(limits?.[1] ?? 0) - 1000);
  if (most < wanted) console.warn(`only ${most} clients that say nothing: this machine allows no more descriptors`);
  return most - (most % 2);
}
