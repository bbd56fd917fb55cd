/** Simulates what its workerData describes, and says so before. */
import { parentPort, workerData } from 'node:worker_threads';
import { simulate } from '../../../dist/bridge/simulation.js';

parentPort.postMessage('simulating');
simulate(workerData);
