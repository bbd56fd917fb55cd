/** A native front end over the engine of the process; as a worker, one of an environment of its own, which tells its port. */
import { isMainThread, parentPort } from 'node:worker_threads';
import { addon } from './engine.mjs';

export function openFrontEnd() {
  const listener = addon.openListener({ name: 'http', host: '127.0.0.1', port: 0, maxConnections: 10, servedNatively: true });
  const limits = { maxRequestBytes: 1 << 20, maxReceivingBytes: 0, maxConcurrentStreams: 1 };
  const timeouts = { headersTimeoutMs: 0, requestTimeoutMs: 0, keepAliveTimeoutMs: 0 };
  const logs = { logsRequests: true, logsRefusals: true };
  const frontEnd = addon.startFrontEnd(
    { loops: 2, ...limits, ...timeouts, ...logs },
    () => {},
    () => {},
  );
  return { listener, frontEnd };
}

if (!isMainThread) {
  const held = openFrontEnd();
  // Holds both, too.
  parentPort.on('message', () => held.frontEnd.goAway());
  parentPort.postMessage(held.listener.port);
}
