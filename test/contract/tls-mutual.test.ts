/** Clients that must show a certificate. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  FRONT_ENDS,
  authority,
  strangers,
  ca,
  type Served,
  serve,
  end,
  expectServed,
  expectRefused,
  isTakenUpAgain,
  reloads,
  refusals,
} from '../support/tls-servers.js';

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
