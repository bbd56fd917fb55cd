/** Opening a TCP port, with failures in words that an operator can act on. */
import type { AddressInfo, Server } from 'node:net';
import { ServerError } from '../errors.js';

/** Resolves with the port that was opened. `flag` is the option that names the port. Throws ERR_PORT_BUSY, ERR_CONFIG_OPTION. */
export function listen(server: Server, host: string, port: number, flag: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port, flag));
    server.once('error', onError);
    server.listen({ host, port }, () => {
      server.removeListener('error', onError);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number, flag: string): ServerError {
  switch (error.code) {
    case 'EADDRINUSE':
      return new ServerError('ERR_PORT_BUSY', `port ${port} is already in use; choose another with ${flag}`, { cause: error });
    case 'EACCES':
      return new ServerError('ERR_CONFIG_OPTION', `port ${port} needs privileges this process lacks; choose another with ${flag}`, {
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ServerError('ERR_CONFIG_OPTION', `cannot listen on ${host} (--host): it is not an address of this machine`, {
        cause: error,
      });
    default:
      return new ServerError('ERR_CONFIG_OPTION', `cannot listen on port ${port} of ${host} (--host, ${flag}): ${error.message}`, {
        cause: error,
      });
  }
}
