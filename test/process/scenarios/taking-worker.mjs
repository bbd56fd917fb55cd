/** Takes connections and echoes what they say, until its thread is terminated. */
import { Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { addon } from './engine.mjs';

const connections = addon.takeConnections('http', 0, (fd) => {
  const socket = new Socket({ fd, readable: true, writable: true });
  socket.once('close', () => connections.ended());
  socket.on('error', () => {});
  socket.pipe(socket);
});
parentPort.on('message', () => {}); // Stays alive.
parentPort.postMessage('ready');
