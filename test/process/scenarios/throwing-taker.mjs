/** The first connection meets a callback that throws; the next one must be served all the same. */
import { closeSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import process from 'node:process';
import { addon } from './engine.mjs';

process.on('uncaughtException', (error) => console.log(error.message));
const listener = addon.openListener({ name: 'http', host: '127.0.0.1', port: 0, maxConnections: 10, servedNatively: false });
let isFirst = true;
const connections = addon.takeConnections('http', 0, (fd) => {
  if (isFirst) {
    isFirst = false;
    closeSync(fd);
    throw new Error('thrown on purpose');
  }
  new Socket({ fd, readable: true, writable: true }).end('served');
});
connect(listener.port, '127.0.0.1')
  .resume()
  .once('close', () => {
    connect(listener.port, '127.0.0.1')
      .on('data', (data) => console.log(String(data)))
      .once('close', () => {
        connections.close();
        listener.close();
      });
  });
