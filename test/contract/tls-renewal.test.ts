/** What becomes of connections and sessions when certificates change. */
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MetricsPage } from '../support/prometheus.js';
import {
  FRONT_ENDS,
  authority,
  here,
  serve,
  end,
  clientsOf,
  shakeHands,
  sessionWith,
  isTakenUpAgain,
  reloads,
  refusals,
} from '../support/tls-servers.js';

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
