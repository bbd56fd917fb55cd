/** Servers that end TLS, and what clients see of them. */
import { once } from 'node:events';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { credentials, status } from '@grpc/grpc-js';
import { expect, onTestFinished } from 'vitest';
import { Authority, TlsFolder, type Identity } from './certificates.js';
import { GrpcClient, HttpClient } from './clients.js';
import { logLines } from './log-lines.js';
import { fixtureModels, ServerProcess, shippedModels } from './server-process.js';
import { int32 } from './tensors.js';

/** By whom TLS is ended. */
export const FRONT_ENDS = ['js', 'native'] as const;

const HEADERS_TIMEOUT_MS = 3000;
export const authority = new Authority();
export const strangers = new Authority('strangers');
export const ca = authority.certificate;
export const here = { host: '127.0.0.1', ca };
const sums = [
  int32(
    'INPUT0',
    [1, 16],
    Array.from({ length: 16 }, (_, i) => i),
  ),
  int32('INPUT1', [1, 16], Array<number>(16).fill(1)),
];

export interface Served {
  readonly server: ServerProcess;
  readonly folder: TlsFolder;
}

export async function serve(frontEnd: string, flags: readonly string[] = [], clientCa?: string): Promise<Served> {
  const folder = new TlsFolder(authority.issue('first'), clientCa);
  const all = ['--front-end', frontEnd, '--http-headers-timeout-ms', String(HEADERS_TIMEOUT_MS), ...folder.flags, ...flags];
  return { server: await ServerProcess.start({ repositories: [shippedModels, fixtureModels], flags: all }), folder };
}

export async function end({ server, folder }: Served): Promise<void> {
  expect(await server.stop()).toBe(0);
  expect(logLines(server).filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  folder.remove();
}

export function clientsOf(server: ServerProcess, client?: Identity): { http: HttpClient; grpc: GrpcClient } {
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
export async function shakeHands(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ ...here, port, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

export async function expectServed(server: ServerProcess, client?: Identity): Promise<void> {
  const { http, grpc } = clientsOf(server, client);
  const answers = [await http.inferBinary('add_sub', sums), await grpc.inferRaw('add_sub', sums)];
  for (const outputs of answers) expect(outputs.find(({ name }) => name === 'OUTPUT0')?.raw.readInt32LE(4 * 15)).toBe(16);
}

export async function expectRefused(server: ServerProcess, client?: Identity): Promise<void> {
  const { http, grpc } = clientsOf(server, client);
  await expect(http.get('/v2')).rejects.toThrow();
  await expect(grpc.call('ServerLive', {}, { deadline: Date.now() + 5000 })).rejects.toMatchObject({ code: status.UNAVAILABLE });
}

/** What a first connection is given, to go on with in another one. */
export async function sessionWith(port: number, client?: Identity): Promise<Buffer | undefined> {
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

export async function isTakenUpAgain(port: number, client?: Identity): Promise<boolean> {
  const session = await sessionWith(port, client);
  if (session === undefined) return false;
  return (await shakeHands(port, { session, ...client })).isSessionReused();
}

export function reloads(server: ServerProcess): number {
  return logLines(server).filter(({ msg }) => msg === 'TLS: connections get the new files from now on').length;
}

/** Lines on new files that cannot be used. */
export function refusals(server: ServerProcess): unknown[] {
  return logLines(server).filter(({ msg }) => msg.startsWith('TLS: the new files cannot be used'));
}
