/** What TLS adds to the protocols: who gets in, and what becomes of connections when certificates change or the server goes. */
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Authority, TlsFolder, type Identity } from '../support/certificates.js';
import { GrpcClient, HttpClient } from '../support/clients.js';
import { CountedLoad } from '../support/counted-load.js';
import { logLines } from '../support/log-lines.js';
import { MetricsPage } from '../support/prometheus.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { slowInputs, slowRequest, untilInFlight } from '../support/slow-model.js';
import { int32 } from '../support/tensors.js';

/** By whom TLS is ended. */
const FRONT_ENDS = ['js', 'native'] as const;

const HEADERS_TIMEOUT_MS = 3000;
const authority = new Authority();
const strangers = new Authority('strangers');
const ca = authority.certificate;
const here = { host: '127.0.0.1', ca };
const sums = [
  int32(
    'INPUT0',
    [1, 16],
    Array.from({ length: 16 }, (_, i) => i),
  ),
  int32('INPUT1', [1, 16], Array<number>(16).fill(1)),
];

interface Served {
  readonly server: ServerProcess;
  readonly folder: TlsFolder;
}

async function serve(frontEnd: string, flags: readonly string[] = [], clientCa?: string): Promise<Served> {
  const folder = new TlsFolder(authority.issue('first'), clientCa);
  const all = ['--front-end', frontEnd, '--http-headers-timeout-ms', String(HEADERS_TIMEOUT_MS), ...folder.flags, ...flags];
  return { server: await ServerProcess.start({ repositories: [shippedModels, fixtureModels], flags: all }), folder };
}

async function end({ server, folder }: Served): Promise<void> {
  expect(await server.stop()).toBe(0);
  expect(logLines(server).filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  folder.remove();
}

function clientsOf(server: ServerProcess, client?: Identity): { http: HttpClient; grpc: GrpcClient } {
  const http = new HttpClient(`https://127.0.0.1:${server.ports.http}`, 1, { ca, ...client });
  const [key, cert] = client === undefined ? [null, null] : [Buffer.from(client.key), Buffer.from(client.cert)];
  const grpc = new GrpcClient(server.grpcAddress, {}, credentials.createSsl(Buffer.from(ca), key, cert));
  onTestFinished(async () => {
    grpc.close();
    await http.pool.destroy();
  });
  return { http, grpc };
}

/** Resolves once the handshake is over, as the client sees it; rejects with what ended it. */
async function shakeHands(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ ...here, port, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

async function expectServed(server: ServerProcess, client?: Identity): Promise<void> {
  const { http, grpc } = clientsOf(server, client);
  const answers = [await http.inferBinary('add_sub', sums), await grpc.inferRaw('add_sub', sums)];
  for (const outputs of answers) expect(outputs.find(({ name }) => name === 'OUTPUT0')?.raw.readInt32LE(4 * 15)).toBe(16);
}

async function expectRefused(server: ServerProcess, client?: Identity): Promise<void> {
  const { http, grpc } = clientsOf(server, client);
  await expect(http.get('/v2')).rejects.toThrow();
  await expect(grpc.call('ServerLive', {}, { deadline: Date.now() + 5000 })).rejects.toMatchObject({ code: status.UNAVAILABLE });
}

describe.each(FRONT_ENDS)('TLS that %s ends', (frontEnd) => {
  let served: Served;
  const ports = (): [number, number] => [served.server.ports.http, served.server.ports.grpc];

  beforeAll(async () => {
    served = await serve(frontEnd);
  });

  afterAll(() => end(served));

  it('carries inference over both protocols', () => expectServed(served.server));

  it('carries a megabyte both ways', async () => {
    const { http, grpc } = clientsOf(served.server);
    const raw = Buffer.alloc(4 * 262_144, 'penstock');
    const large = [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 262_144], raw }];
    for (const outputs of [await http.inferBinary('identity_fp32', large), await grpc.inferRaw('identity_fp32', large)])
      expect(outputs[0]?.raw.equals(raw)).toBe(true);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async (version) => {
    for (const port of ports()) {
      const socket = await shakeHands(port, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
    }
  });

  it('speaks nothing older', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    for (const port of ports()) await expect(shakeHands(port, old)).rejects.toThrow(/protocol version/);
  });

  it('agrees by ALPN on what each port speaks, and refuses who speaks something else', async () => {
    const [http, grpc] = ports();
    const both = { ALPNProtocols: ['http/1.1', 'h2'] };
    expect((await shakeHands(http, both)).alpnProtocol).toBe('http/1.1');
    expect((await shakeHands(grpc, both)).alpnProtocol).toBe('h2');
    await expect(shakeHands(http, { ALPNProtocols: ['h2'] })).rejects.toThrow(/no application protocol/);
    await expect(shakeHands(grpc, { ALPNProtocols: ['http/1.1'] })).rejects.toThrow(/no application protocol/);
  });

  it('serves clients that know no ALPN', async () => {
    const [http, grpc] = ports();
    const asked = await shakeHands(http);
    asked.end('GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect((await buffer(asked)).toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
    const spoken = await shakeHands(grpc);
    // The preface of HTTP/2 and empty SETTINGS; SETTINGS come back.
    spoken.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]));
    const [frame] = (await once(spoken, 'data')) as [Buffer];
    expect(frame[3]).toBe(4);
  });

  it.each([
    ['a plain request', 'GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['what is no handshake', Buffer.alloc(4096, 0xee)],
    ['a handshake that stops', Buffer.from([0x16, 3, 1, 2, 0, 1])],
    ['nothing', ''],
  ])('closes the connection after %s, within the time for headers', async (_, sent) => {
    for (const port of ports()) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {}); // A reset will do.
      socket.write(sent);
      const closed = once(socket.resume(), 'close');
      expect(await Promise.race([closed.then(() => 'closed'), sleep(20_000, 'open', { ref: false })])).toBe('closed');
    }
    await expectServed(served.server);
  });

  it('counts a connection while its handshake lasts', async () => {
    const connections = async (): Promise<number> => {
      const samples = (await MetricsPage.of(served.server.managementUrl)).all('penstock_connections', { protocol: 'http' });
      return samples.reduce((sum, { value }) => sum + value, 0);
    };
    await expect.poll(connections, { timeout: 10_000 }).toBe(0);
    const socket = connect(served.server.ports.http, '127.0.0.1');
    await expect.poll(connections).toBe(1);
    socket.destroy();
    await expect.poll(connections, { timeout: 10_000 }).toBe(0);
  });

  it('leaves the management port plain, which says when the certificate ends', async () => {
    const page = await MetricsPage.of(served.server.managementUrl);
    const leftHours = (page.value('penstock_tls_certificate_expiry_timestamp_seconds') * 1000 - Date.now()) / 3_600_000;
    expect(leftHours).toBeGreaterThan(23);
    expect(leftHours).toBeLessThanOrEqual(24);
    expect((await fetch(`${served.server.managementUrl}/ready`)).status).toBe(200);
  });
});

describe.each(FRONT_ENDS)('mutual TLS that %s ends', (frontEnd) => {
  let served: Served;

  beforeAll(async () => {
    served = await serve(frontEnd, [], ca);
  });

  afterAll(() => end(served));

  it('serves clients with a certificate of the authority', () => expectServed(served.server, authority.issue('client')));

  it('refuses clients without a certificate', () => expectRefused(served.server));

  it('refuses clients with a certificate of somebody else', () => expectRefused(served.server, strangers.issue('client')));

  it('refuses clients whose certificate has expired', () => expectRefused(served.server, authority.issue('client', -1000)));

  it('takes no session up again, which would outlive the certificate of its client', async () => {
    expect(await isTakenUpAgain(served.server.ports.http, authority.issue('client'))).toBe(false);
  });

  it('keeps the authorities that it has while those in their file are not whole', async () => {
    served.folder.write({ 'ca.crt': ca + strangers.certificate.slice(0, -30) });
    await expect.poll(() => refusals(served.server).length, { timeout: 30_000 }).toBe(1);
    expect(refusals(served.server)[0]).toMatchObject({
      level: 'warn',
      reason: expect.stringMatching(/^--tls-client-ca: .*cannot be read/) as string,
    });
    await expectServed(served.server, authority.issue('client'));
  });

  it('takes other authorities from their file', async () => {
    const client = strangers.issue('client');
    served.folder.write({ 'ca.crt': strangers.certificate });
    await expect.poll(() => reloads(served.server), { timeout: 30_000 }).toBe(1);
    await expectServed(served.server, client);
    await expectRefused(served.server, authority.issue('client'));
  });
});

describe.each(FRONT_ENDS)('where clients need no certificate, %s', (frontEnd) => {
  it('takes sessions up again on each of its threads, until there is another certificate', async () => {
    const served = await serve(frontEnd, ['--front-end-threads', '3']);
    const { http, grpc } = served.server.ports;
    const session = await sessionWith(http);
    const areTakenUpAgain = async (port: number): Promise<Set<boolean>> => {
      const sockets = await Promise.all(Array.from({ length: 9 }, () => shakeHands(port, { session })));
      return new Set(sockets.map((socket) => socket.isSessionReused()));
    };
    expect(await areTakenUpAgain(http)).toEqual(new Set([true]));
    // OpenSSL itself has keys for each port.
    if (frontEnd === 'js') expect(await areTakenUpAgain(grpc)).toEqual(new Set([true]));
    const second = authority.issue('second');
    served.folder.write({ 'tls.crt': second.cert, 'tls.key': second.key });
    await expect.poll(() => reloads(served.server), { timeout: 30_000 }).toBe(1);
    for (const port of [http, grpc]) expect(await areTakenUpAgain(port)).toEqual(new Set([false]));
    expect(await isTakenUpAgain(http)).toBe(true);
    await end(served);
  });
});

/** What a first connection is given, to go on with in another one. */
async function sessionWith(port: number, client?: Identity): Promise<Buffer | undefined> {
  const first = connectTls({ ...here, port, ...client });
  onTestFinished(() => void first.destroy());
  const sessions: Buffer[] = [];
  first.on('session', (session: Buffer) => void sessions.push(session));
  await once(first, 'secureConnect');
  // Tickets come before the answer.
  first.write('GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(first, 'data');
  return sessions.at(-1);
}

async function isTakenUpAgain(port: number, client?: Identity): Promise<boolean> {
  const session = await sessionWith(port, client);
  if (session === undefined) return false;
  return (await shakeHands(port, { session, ...client })).isSessionReused();
}

function reloads(server: ServerProcess): number {
  return logLines(server).filter(({ msg }) => msg === 'TLS: connections get the new files from now on').length;
}

/** Lines on new files that cannot be used. */
function refusals(server: ServerProcess): unknown[] {
  return logLines(server).filter(({ msg }) => msg.startsWith('TLS: the new files cannot be used'));
}

function subjectOf(socket: TLSSocket): string {
  return String(socket.getPeerCertificate().subject.CN);
}

describe.each(FRONT_ENDS)('a certificate that is renewed while %s ends TLS', (frontEnd) => {
  it('is what new connections get, once it fits its key, and old ones stay', async () => {
    const served = await serve(frontEnd);
    const { http, grpc } = served.server.ports;
    const agent = new Agent({ ...here, keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const ask = async (): Promise<TLSSocket> => {
      const sent = request({ ...here, port: http, path: '/v2/health/live', agent }).end();
      const [answer] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { socket: TLSSocket }];
      await buffer(answer);
      return answer.socket;
    };
    const kept = await ask();
    const calls = clientsOf(served.server).grpc;
    await calls.call('ServerLive', {});

    const second = authority.issue('second', 3_600_000);
    served.folder.write({ 'tls.crt': second.cert });
    await expect.poll(() => refusals(served.server).length, { timeout: 30_000 }).toBe(1);
    expect(refusals(served.server)[0]).toMatchObject({ level: 'warn', reason: expect.stringContaining('is not the key of') as string });
    for (const port of [http, grpc]) expect(subjectOf(await shakeHands(port))).toBe('first');

    served.folder.write({ 'tls.key': second.key });
    await expect.poll(() => reloads(served.server), { timeout: 30_000 }).toBe(1);
    for (const port of [http, grpc]) expect(subjectOf(await shakeHands(port))).toBe('second');
    const page = await MetricsPage.of(served.server.managementUrl);
    expect(page.value('penstock_tls_certificate_expiry_timestamp_seconds') * 1000 - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect(await ask()).toBe(kept);
    await calls.call('ServerLive', {});
    await end(served);
  });
});

describe.each(FRONT_ENDS)('SIGTERM while %s ends TLS', (frontEnd) => {
  it('tells clients to go while it still serves, and fails none of their requests', async () => {
    const served = await serve(frontEnd, ['--drain-delay-secs', '1.5']);
    const { server } = served;
    let mayConnect = true;
    const load = new CountedLoad({
      http: `127.0.0.1:${server.ports.http}`,
      grpc: server.grpcAddress,
      mayConnect: () => mayConnect,
      pauseMs: 0,
      ca,
    });
    for (let i = 0; i < 4; i++) load.addHttp();
    for (let i = 0; i < 4; i++) load.addGrpc(16);
    await sleep(500);
    mayConnect = false;
    server.child.kill('SIGTERM');
    await load.done();
    expect(load.failures).toEqual([]);
    expect(load.toldToGo).toBe(4);
    expect(load.grpcClients.map(({ toldToGo }) => toldToGo)).toEqual([1, 1, 1, 1]);
    expect([load.answered.http > 0, load.answered.grpc > 0]).toEqual([true, true]);
    await end(served);
  });

  it('finishes what was accepted, and does not wait for handshakes or idle connections', async () => {
    const served = await serve(frontEnd, ['--http-headers-timeout-ms', '60000']);
    const { server } = served;
    const { http, grpc } = clientsOf(server);
    const idle = [await shakeHands(server.ports.http), await shakeHands(server.ports.grpc), connect(server.ports.http, '127.0.0.1')];
    for (const socket of idle) socket.on('error', () => {});
    await Promise.all([http.get('/v2'), grpc.call('ServerLive', {})]);
    const answers = Promise.all([http.inferBinary('slow', slowInputs(3000n)), grpc.infer(slowRequest(3000n))]);
    await untilInFlight(server, 2, 20_000);
    server.child.kill('SIGTERM');
    const [overHttp, overGrpc] = await answers;
    expect([overHttp.length, overGrpc.outputs.length]).toEqual([1, 1]);
    const answered = performance.now();
    await end(served);
    // The longest of those that it does not wait for would have lasted a minute.
    expect(performance.now() - answered).toBeLessThan(20_000);
  });
});

it.each([
  ['--tls-cert', { 'tls.crt': 'nothing' }],
  ['--tls-key', { 'tls.key': strangers.issue('other').key }],
  ['--tls-client-ca', { 'ca.crt': 'nothing' }],
])('a start with a bad file of %s ends with 64 and names option and file', async (flag, wrong) => {
  const folder = new TlsFolder(authority.issue('first'), ca);
  folder.write(wrong);
  const server = await ServerProcess.start({ flags: folder.flags, waitForReady: false });
  expect(await server.exited).toBe(64);
  expect(server.lines.join('\n')).toMatch(new RegExp(`penstock: ${flag}: "${folder.path}/`));
  folder.remove();
});
