/** TLS to a host through an HTTP proxy (CONNECT): the proxy sees the name of the host and nothing else. */
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { refused, tryAgain } from './source.js';

/** Resolves with a socket whose certificate has been checked. Rejects with what Node or the proxy says. */
export async function openTunnel(proxy: URL, address: URL, signal: AbortSignal): Promise<TLSSocket> {
  const authority = `${address.hostname}:${address.port === '' ? '443' : address.port}`;
  const socket = await connectThrough(proxy, authority, signal);
  const host = address.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const secured = connect({ socket, host, servername: /[:]|^[\d.]+$/.test(host) ? '' : host }, () => resolve(secured));
    secured.once('error', reject);
    signal.addEventListener('abort', () => secured.destroy(tryAgain('stopped')), { once: true });
  });
}

function connectThrough(proxy: URL, authority: string, signal: AbortSignal): Promise<Socket> {
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const headers = { host: authority, ...(user !== ':' && { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` }) };
  return new Promise((resolve, reject) => {
    request({ hostname: proxy.hostname, port: proxy.port === '' ? 80 : proxy.port, method: 'CONNECT', path: authority, headers, signal })
      .on('connect', (response, socket: Socket) => {
        if (response.statusCode === 200) return resolve(socket);
        socket.destroy();
        const message = `the proxy ${proxy.host} answers ${response.statusCode}`;
        reject((response.statusCode ?? 0) >= 500 ? tryAgain(message) : refused(message));
      })
      .on('error', reject)
      .end();
  });
}
