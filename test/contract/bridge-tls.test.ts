import { readFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { addon, type NativeFrontEnd, type NativeListener, type TlsMaterial } from '../../src/bridge/addon.js';
import { nativeTlsFault, startFrontEnd } from '../../src/bridge/front-end.js';
import { startEngine } from '../support/engine.js';

/** Those of the native tests. */
const header = readFileSync(new URL('../../native/transport/test_certificates.h', import.meta.url), 'utf8');
function pem(name: string): string {
  return new RegExp(`k${name} = R"\\(([^)]*)\\)"`).exec(header)?.[1] ?? '';
}

const material: TlsMaterial = { cert: pem('ServerCertificate'), key: pem('ServerKey'), clientCa: '' };
const renewed: TlsMaterial = { cert: pem('RenewedCertificate'), key: pem('RenewedKey'), clientCa: '' };
const ofClient = { cert: pem('ClientCertificate'), key: pem('ClientKey') };

const limits = { maxRequestBytes: 1 << 20, maxReceivingBytes: 0, maxConcurrentStreams: 1 };
const timeouts = { headersTimeoutMs: 0, requestTimeoutMs: 0, keepAliveTimeoutMs: 0 };
const options = { loops: 2, ...limits, ...timeouts, logsRequests: false, logsRefusals: false };

const REQUEST = 'POST /v2/models/none/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';

let listener: NativeListener;
let frontEnd: NativeFrontEnd | undefined;
let sockets: TLSSocket[];

function start(tls: TlsMaterial): NativeFrontEnd {
  return startFrontEnd(
    { ...options, tls },
    () => {},
    () => {},
  );
}

interface Client {
  readonly socket: TLSSocket;
  readonly answers: () => number;
  readonly ended: () => string;
}

function connected(own: { readonly cert?: string; readonly key?: string; readonly ALPNProtocols?: string[] } = {}): Client {
  const socket = connect({ port: listener.port, host: '127.0.0.1', servername: 'localhost', ca: pem('CaCertificate'), ...own });
  sockets.push(socket);
  let text = '';
  let ended = '';
  socket.on('error', (error) => (ended = String(error)));
  socket.on('close', () => (ended ||= 'closed'));
  socket.on('data', (data) => (text += String(data)));
  return { socket, answers: () => text.split('HTTP/1.1 404').length - 1, ended: () => ended };
}

const answered = (client: Client, count = 1): Promise<void> => vi.waitFor(() => expect(client.answers()).toBe(count), 20_000);
const lost = (client: Client): Promise<void> => vi.waitFor(() => expect(client.ended()).not.toBe(''), 20_000);

beforeAll(() => startEngine());
afterAll(() => void addon.stopEngine());

beforeEach(() => {
  [sockets, frontEnd] = [[], undefined];
  listener = addon.openListener({ name: 'http', host: '127.0.0.1', port: 0, maxConnections: 10, servedNatively: true });
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  frontEnd?.destroy();
  listener.close();
});

describe('TLS of the native front end', () => {
  it('finds OpenSSL in Node', () => {
    expect(nativeTlsFault()).toBeUndefined();
  });

  it('serves clients that know its authority, and agrees on HTTP/1.1', async () => {
    frontEnd = start(material);
    const client = connected({ ALPNProtocols: ['h2', 'http/1.1'] });
    client.socket.write(REQUEST);
    await answered(client);
    expect(client.socket.authorized).toBe(true);
    expect(client.socket.alpnProtocol).toBe('http/1.1');
    expect(client.socket.getProtocol()).toBe('TLSv1.3');
    const other = connected({ ALPNProtocols: ['h2'] });
    await lost(other);
    expect(other.ended()).toContain('no application protocol');
  });

  it('uses new texts for connections that come from then on', async () => {
    frontEnd = start(material);
    const before = connected();
    before.socket.write(REQUEST);
    await answered(before);
    frontEnd.setTls({ ...renewed, clientCa: pem('CaCertificate') });
    const after = connected(ofClient);
    after.socket.write(REQUEST);
    await answered(after);
    expect(after.socket.getPeerCertificate().fingerprint).not.toBe(before.socket.getPeerCertificate().fingerprint);
    const unknown = connected();
    unknown.socket.write(REQUEST);
    await lost(unknown);
    expect(unknown.answers()).toBe(0);
    before.socket.write(REQUEST);
    await answered(before, 2);
  });

  it('says which text is wrong, and goes on with the old ones', async () => {
    const refused = (message: string): unknown => expect.objectContaining({ code: 'ERR_CONFIG_OPTION', message });
    expect(() => start({ ...material, key: renewed.key })).toThrow(refused('the key is not that of the certificate: key values mismatch'));
    frontEnd = start(material);
    const native = frontEnd;
    const status = { status: 600 };
    expect(() => native.setTls({ ...material, cert: '' })).toThrow(
      expect.objectContaining({ ...status, message: 'the certificate has no certificate in PEM form' }),
    );
    expect(() => native.setTls({ ...material, clientCa: 'x' })).toThrow(
      expect.objectContaining({ ...status, message: 'the client CA has no certificate in PEM form' }),
    );
    expect(() => native.setTls({ ...material, key: 7 as unknown as string })).toThrow('setTls.key');
    const client = connected();
    client.socket.write(REQUEST);
    await answered(client);
    native.destroy();
    native.setTls(renewed);
    await lost(client);
  });
});
