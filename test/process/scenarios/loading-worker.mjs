/** Asks for a model whose load does not end while this worker lives. */
import { parentPort, workerData } from 'node:worker_threads';
import { addon } from './engine.mjs';

addon.openSession({ modelPath: workerData, intraOpThreads: 0 }).catch(() => {});
parentPort.postMessage('loading');
setInterval(() => {}, 1000);
