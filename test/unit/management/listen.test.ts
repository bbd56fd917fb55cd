import { createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../../../src/management/listen.js';

it('resolves with the port that a free one was chosen for', async () => {
  const server = createServer();
  onTestFinished(() => void server.close());
  expect(await listen(server, '127.0.0.1', 0, '--http-port')).toBeGreaterThan(0);
});

it('calls an address that cannot be listened on a wrong option, and names it', async () => {
  await expect(listen(createServer(), '192.0.2.1', 0, '--http-port')).rejects.toMatchObject({
    code: 'ERR_CONFIG_OPTION',
    message: 'cannot listen on 192.0.2.1 (--host): it is not an address of this machine',
  });
});
