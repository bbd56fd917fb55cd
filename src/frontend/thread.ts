/** Composition root of one front-end thread: the entry of a worker_threads Worker, whose workerData is `FrontEndOptions`. */
import { parentPort, workerData } from 'node:worker_threads';
import { Inference } from '../bridge/inference.js';
import type { FrontEndOptions, FromFrontEnd, ToFrontEnd } from '../bridge/thread-messages.js';
import { asServerError } from '../errors.js';
import { createLogger } from '../telemetry/log.js';
import { GrpcListener } from './grpc/listener.js';
import { HealthWatch } from './health-watch.js';
import { HttpListener } from './http/listener.js';
import { RequestLog } from './request-log.js';

if (parentPort === null) throw new Error('frontend/thread.js is the entry of a worker thread');
const port = parentPort;
const options = workerData as FrontEndOptions;
const log = createLogger({ level: options.logLevel, name: 'frontend' });

// One request's fault that nobody caught is logged; the other requests of this thread go on.
process.on('uncaughtException', (err) => log.error({ err }, 'uncaught exception in a front-end thread'));
process.on('unhandledRejection', (err) => log.error({ err }, 'unhandled rejection in a front-end thread'));

const inference = new Inference();
const health = new HealthWatch();
const requestLog = new RequestLog(log, options.accessLog);
const http = options.httpPort === null ? null : new HttpListener(options, inference, health, requestLog);
const grpc = options.grpcPort === null ? null : new GrpcListener(options, inference, health, requestLog);
let drained: Promise<void> | undefined;

port.on('message', (message: ToFrontEnd) => {
  if (message.type === 'drain') void drain();
  else destroy();
});
await start();

async function start(): Promise<void> {
  try {
    const httpPort = http === null ? null : await http.listen(options.httpPort ?? 0);
    const grpcPort = grpc === null ? null : await grpc.listen(options.grpcPort ?? 0);
    send({ type: 'listening', httpPort, grpcPort });
  } catch (thrown) {
    const error = asServerError(thrown);
    log.debug({ err: error }, 'cannot listen');
    send({ type: 'failed', code: error.code, message: error.message });
    destroy();
  }
}

/** Every accepted request holds its connection open, so nothing is left when the last one has ended. */
function drain(): Promise<void> {
  drained ??= Promise.all([http?.drain(), grpc?.drain()]).then(() => send({ type: 'drained' }));
  return drained;
}

/** The thread ends by itself afterwards: nothing keeps its event loop alive. */
function destroy(): void {
  http?.destroy();
  grpc?.destroy();
  health.close();
  inference.close();
  port.close();
}

function send(message: FromFrontEnd): void {
  port.postMessage(message);
}
