/** Terminates 100 workers while connections keep coming in: every client is answered or closed, and no descriptor stays behind. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { addon, expect } from './engine.mjs';

const TERMINATIONS = 100;
const CLIENTS = 16;
const openFiles = () => readdirSync('/proc/self/fd').length;

async function start() {
  const worker = new Worker(new URL('taking-worker.mjs', import.meta.url));
  worker.on('error', (error) => {
    throw error;
  });
  await once(worker, 'message');
  return worker;
}

const open = () => addon.openListener({ name: 'http', host: '127.0.0.1', port: 0, maxConnections: 10_000, servedNatively: false });
// The first worker leaves open what every later one shares.
const unused = open();
await (await start()).terminate();
unused.close();
const before = openFiles();

const listener = open();
let stopped = false;
let echoes = 0;
let closed = 0;

/** One connection after the other; each says something until it is closed, or leaves by itself after a few echoes. */
async function client(patience) {
  while (!stopped) {
    const socket = connect(listener.port, '127.0.0.1');
    const ended = new Promise((resolve) => socket.once('close', resolve));
    let left = patience;
    socket.on('error', () => {});
    socket.on('data', () => {
      echoes++;
      if (--left > 0) socket.write('again');
      else socket.destroy();
    });
    socket.write('first');
    await ended;
    closed++;
  }
}
const clients = Array.from({ length: CLIENTS }, (_, index) => client(index + 1));

const workers = [await start(), await start()];
for (let i = 0; i < TERMINATIONS; i++) {
  const victim = workers.shift();
  const next = start();
  await sleep(i % 20);
  await victim.terminate();
  workers.push(await next);
}
expect(echoes > 100 && closed > 100, `clients that were served meanwhile, got ${echoes} echoes on ${closed} connections`);
stopped = true;
await Promise.all(clients);
for (let i = 0; i < 100 && addon.connectionCounts().some(({ connections }) => connections > 0); i++) await sleep(20);
const counts = JSON.stringify(addon.connectionCounts());
expect(
  counts === '[{"port":"http","thread":0,"connections":0},{"port":"http","thread":0,"connections":0}]',
  `nothing counted, got ${counts}`,
);
await Promise.all(workers.map((worker) => worker.terminate()));
listener.close();
expect(addon.connectionCounts().length === 0, 'no taker');
for (let i = 0; i < 100 && openFiles() > before; i++) await sleep(20);
expect(openFiles() <= before, `${before} open files, got ${openFiles()}`);
