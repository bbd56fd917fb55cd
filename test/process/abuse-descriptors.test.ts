/** A server that has no file descriptor left: whoever is connected is served, what needs more is refused softly, and all is well again later. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { connectMany } from '../support/attacker.js';
import { GrpcClient, HttpClient } from '../support/clients.js';
import { logLines, type LogLine } from '../support/log-lines.js';
import { cpuMs, openDescriptors, untilDescriptorsAreBack } from '../support/process-use.js';
import { ServerProcess } from '../support/server-process.js';
import { int32 } from '../support/tensors.js';

const INPUTS = ['INPUT0', 'INPUT1'].map((name) => int32(name, [1, 16], Array<number>(16).fill(1)));
const SUM = int32('OUTPUT0', [1, 16], Array<number>(16).fill(2));
const UNAVAILABLE = 14;

const MOST_FILES = 100;
/** More than there are descriptors: the others wait in the backlogs. */
const CROWD = 150;
const HELD_MS = 1500;
/** The accept threads look twenty times a second whether there is one again. One that spins takes five times as much. */
const MOST_HELD_MS = 300;

/** Of an accept thread: clients wait in the backlog of its port. */
const isOfBacklog = ({ msg }: LogLine): boolean => msg.startsWith('who connects has to wait');

it('a server without descriptors serves who is connected, refuses what needs more, and recovers', async () => {
  // Whoever says nothing may stay: nobody makes room before the test does.
  const flags = ['--front-end', 'native', '--front-end-threads', '1', '--http-headers-timeout-ms', '0'];
  const server = await ServerProcess.start({ flags, maxOpenFiles: MOST_FILES });
  onTestFinished(async () => void (await server.stop()));
  const staying = new HttpClient(server.httpUrl, 1);
  const leaving = new HttpClient(server.httpUrl, 1);
  const probes = new HttpClient(server.managementUrl, 1);
  const grpc = new GrpcClient(server.grpcAddress);
  onTestFinished(async () => {
    grpc.close();
    await Promise.all([staying, leaving, probes].map(({ pool }) => pool.destroy()));
  });
  const infer = async (...clients: readonly HttpClient[]): Promise<void> => {
    const sums = [grpc.inferRaw('add_sub', INPUTS), ...clients.map((http) => http.inferBinary('add_sub', INPUTS))];
    for (const outputs of await Promise.all(sums)) expect(outputs[0]).toEqual(SUM);
  };
  await infer(staying, leaving);
  expect((await probes.get('/livez')).status).toBe(200);
  const before = openDescriptors(server);

  const connected = performance.now();
  const crowds = await Promise.all([server.ports.grpc, server.ports.http].map((port) => connectMany(port, CROWD)));
  await expect.poll(() => openDescriptors(server), { timeout: 20_000 }).toBeGreaterThanOrEqual(MOST_FILES);
  const cpuBefore = cpuMs(server);
  await sleep(HELD_MS);
  expect(cpuMs(server) - cpuBefore).toBeLessThan(MOST_HELD_MS);

  const start = performance.now();
  await infer(staying, leaving);
  expect((await probes.get('/livez')).status).toBe(200);
  expect((await probes.get('/metrics')).status).toBe(200);
  for (let call = 0; call < 100; call++) {
    await expect(grpc.call('ServerLive', {}, {})).rejects.toMatchObject({ code: UNAVAILABLE });
  }
  const refused = await leaving.get('/v2');
  expect(refused.status).toBe(503);
  expect(refused.headers['retry-after']).toMatch(/^\d+$/);
  await infer(staying);
  const seconds = (performance.now() - start) / 1000;
  const complaints = logLines(server).filter(({ level }) => level === 'error' || level === 'warn');
  const refusals = complaints.length - complaints.filter(isOfBacklog).length;
  // One at most a second, of each port.
  expect(refusals).toBeGreaterThan(0);
  expect(refusals).toBeLessThanOrEqual(2 * (Math.floor(seconds) + 1));
  const waits = (): LogLine[] => logLines(server).filter(isOfBacklog);
  const reasons = (): string[] => [...new Set(waits().map(({ port, reason }) => `${String(port)}: ${String(reason)}`))].sort();
  await expect.poll(reasons, { timeout: 10_000 }).toEqual(['grpc: Too many open files', 'http: Too many open files']);
  const waitedSeconds = (performance.now() - connected) / 1000;
  expect(waits().length).toBeLessThanOrEqual(2 * (Math.floor(waitedSeconds) + 1));

  for (const one of crowds.flat()) one.kill();
  await untilDescriptorsAreBack(server, before);
  await infer(staying, leaving);
  expect((await staying.get('/v2')).status).toBe(200);
  expect(await grpc.call('ServerLive', {})).toEqual({ live: true });
  expect((await probes.get('/metrics')).status).toBe(200);
});
