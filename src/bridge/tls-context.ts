/** How node:tls ends TLS with the files of the server: the same where they are checked as where they are used. */
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { TlsMaterial } from './addon.js';

export function tlsContextOptions({ cert, key, clientCa }: TlsMaterial): SecureContextOptions {
  const ca = clientCa === '' ? {} : { ca: clientCa };
  // A session that is taken up again is not asked for its certificate: a ticket would outlive it.
  const noTickets = clientCa === '' ? 0 : constants.SSL_OP_NO_TICKET;
  return { cert, key, ...ca, minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_RENEGOTIATION | noTickets };
}
