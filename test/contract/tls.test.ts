/** What TLS adds to the protocols: who gets in, and what becomes of connections when the server goes. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TlsFolder } from '../support/certificates.js';
import { CountedLoad } from '../support/counted-load.js';
import { MetricsPage } from '../support/prometheus.js';
import { ServerProcess } from '../support/server-process.js';
import { slowInputs, slowRequest, untilInFlight } from '../support/slow-model.js';
import {
  FRONT_ENDS,
  authority,
  strangers,
  ca,
  type Served,
  serve,
  end,
  clientsOf,
  shakeHands,
  expectServed,
} from '../support/tls-servers.js';

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
