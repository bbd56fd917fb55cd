/**
 * Ends the process, or an environment, in which a native front end runs a model for one client and sends a large answer to another.
 * Usage: node front-end-at-exit.mjs HOW
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { addon, bigOutRequest, expect, onCpu, serve, slowRequest } from './engine.mjs';
import { openFrontEnd } from './front-end-worker.mjs';

const MB = 1 << 20;
const how = process.argv[2];

const WAYS = {
  'process.exit without any care': async () => {
    await occupy(openFrontEnd().listener.port);
    process.exit(7);
  },
  'the end of all work': async () => {
    await occupy(openFrontEnd().listener.port);
  },
  /** ONNX Runtime waits for the other end of a pipe, and the process three seconds for ONNX Runtime. */
  'process.exit while a model file is read': async () => {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-front-end-'));
    const pipe = join(folder, 'model.onnx');
    execFileSync('mkfifo', [pipe]);
    process.on('exit', () => rmSync(folder, { recursive: true }));
    addon.openSession(onCpu(pipe)).catch(() => {});
    const { port } = openFrontEnd().listener;
    await occupy(port);
    const watcher = spawn(process.execPath, ['-e', WATCHER, String(port), String(process.pid)], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => watcher.stdout.once('data', resolve));
    process.exit(7);
  },
  'the end of its worker': async () => {
    const worker = new Worker(new URL('front-end-worker.mjs', import.meta.url));
    const port = await new Promise((resolve) => worker.once('message', resolve));
    const clients = await occupy(port);
    await worker.terminate();
    for (const { socket } of clients) socket.ref().resume();
    await Promise.all(clients.map(({ closed }) => closed));
    const next = openFrontEnd();
    await occupy(next.listener.port);
    next.frontEnd.destroy();
    next.frontEnd.destroy();
    next.listener.close();
  },
};

/** Says whether its connection ended while the process with that number was there. */
const WATCHER = `
  const [port, pid] = process.argv.slice(1).map(Number);
  const socket = require('node:net').connect(port, '127.0.0.1', () => process.stdout.write('connected'));
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => {
    try {
      process.kill(pid, 0);
      process.stderr.write('closed before the end');
    } catch {
      process.stderr.write('closed by the end');
    }
  }, 500));
`;

/** One client that reads nothing of a large answer but its beginning, one whose request runs for minutes. Neither keeps the process. */
async function occupy(port) {
  const big = send(port, 'big_out', bigOutRequest(64 * MB));
  await new Promise((resolve) => big.socket.once('data', resolve));
  big.socket.pause();
  expect(addon.gauges().inFlightRequests === 0, 'a large answer to be no request in flight');
  const clients = [big, send(port, 'slow', slowRequest(10_000_000))];
  while (addon.gauges().inFlightRequests < 1) await sleep(5);
  for (const { socket } of clients) socket.unref();
  return clients;
}

function send(port, model, { chunks, jsonBytes }) {
  const body = Buffer.concat(chunks);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const lengths = `Inference-Header-Content-Length: ${jsonBytes}\r\nContent-Length: ${body.length}`;
  socket.write(`POST /v2/models/${model}/infer HTTP/1.1\r\nHost: x\r\n${lengths}\r\n\r\n`);
  socket.write(body);
  return { socket, closed };
}

await serve(['slow', 'big_out']);
expect(how in WAYS, `one of ${Object.keys(WAYS)}`);
await WAYS[how]();
