/** TLS to a host through an HTTP proxy (CONNECT): the proxy sees the name of the host and nothing else. */
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { ProxyOptions } from '../config/pull-options.js';
import { refused, tryAgain } from './source.js';

export function leadsThrough({ exempt }: ProxyOptions, address: URL): boolean {
  return !exempt.some((name) => name === '*' || `.${bareHost(address)}`.endsWith(`.${name}`));
}

/** Brackets around an address are for URLs only. */
export function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** Resolves with a socket whose certificate has been checked. Rejects with what Node or the proxy says. */
export async function openTunnel(proxy: ProxyOptions, address: URL, signal: AbortSignal): Promise<TLSSocket> {
  const authority = `${address.hostname}:${address.port === '' ? '443' : address.port}`;
  const socket = await connectThrough(proxy, authority, signal);
  const host = bareHost(address);
  return new Promise((resolve, reject) => {
    const secured = connect({ socket, host, servername: /[:]|^[\d.]+$/.test(host) ? '' : host }, () => resolve(secured));
    secured.once('error', reject);
    signal.addEventListener('abort', () => secured.destroy(tryAgain('stopped')), { once: true });
  });
}

function connectThrough({ address, user, password }: ProxyOptions, authority: string, signal: AbortSignal): Promise<Socket> {
  const secret = Buffer.from(`${user}:${password}`).toString('base64');
  const headers = { host: authority, ...(user + password !== '' && { 'proxy-authorization': `Basic ${secret}` }) };
  const port = address.port === '' ? 80 : address.port;
  return new Promise((resolve, reject) => {
    request({ hostname: bareHost(address), port, method: 'CONNECT', path: authority, headers, signal })
      .on('connect', (response, socket: Socket) => {
        if (response.statusCode === 200) return resolve(socket);
        socket.destroy();
        const message = `the proxy ${address.host} answers ${response.statusCode}`;
        reject((response.statusCode ?? 0) >= 500 ? tryAgain(message) : refused(message));
      })
      .on('error', reject)
      .end();
  });
}
