/** Asks for a model whose load does not end while this worker lives. */
import { parentPort, workerData } from 'node:worker_threads';
import { addon, onCpu } from './engine.mjs';

addon.openSession(onCpu(workerData)).catch(() => {});
parentPort.postMessage('loading');
setInterval(() => {}, 1000);
