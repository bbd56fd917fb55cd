/** Asks for many versions at once and does not live to see them. */
import { parentPort, workerData } from 'node:worker_threads';
import { createVersion } from './engine.mjs';

for (let i = 0; i < workerData; i++) createVersion('identity_fp32').catch(() => {});
setTimeout(() => parentPort.postMessage('asked'), Math.random() * 20);
setInterval(() => {}, 1000);
