/** Composition root of one front-end thread: the entry of a worker_threads Worker, whose workerData is `FrontEndOptions`. */
import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { Inference } from '../bridge/inference.js';
import type { FrontEndOptions, FromFrontEnd, ToFrontEnd } from '../bridge/thread-messages.js';
import { asServerError } from '../errors.js';
import { createLogger } from '../telemetry/log.js';
import { GrpcListener } from './grpc/listener.js';
import { HealthWatch } from './health-watch.js';
import { HttpListener } from './http/listener.js';
import { RequestLog } from './request-log.js';
import { TakenConnections } from './taken-connections.js';
import { TlsConnections } from './tls-connections.js';

if (parentPort === null) throw new Error('frontend/thread.js is the entry of a worker thread');
const port = parentPort;
const options = workerData as FrontEndOptions;
const log = createLogger({ level: options.logLevel, name: 'frontend' });
interface Served {
  readonly listener: HttpListener | GrpcListener;
  /** Before the listener; undefined = connections are plain. */
  readonly tls: TlsConnections | undefined;
}

/**
 * What is accepted but not delivered yet comes within one turn of the event loop: it was sent before whoever asks for a drain asked, and a
 * turn looks at all handles.
 */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

// One request's fault that nobody caught is logged; the other requests of this thread go on.
process.on('uncaughtException', (err) => log.error({ err }, 'uncaught exception in a front-end thread'));
process.on('unhandledRejection', (err) => log.error({ err }, 'unhandled rejection in a front-end thread'));

const inference = new Inference();
const health = new HealthWatch();
const requestLog = new RequestLog(log, options.accessLog);
const served: Served[] = [];
const connections: TakenConnections[] = [];
let drained: Promise<void> | undefined;

port.on('message', (message: ToFrontEnd) => {
  switch (message.type) {
    case 'drain':
      void drain();
      break;
    case 'tls':
      for (const { tls } of served) tls?.set(message.tls);
      break;
    case 'destroy':
      destroy();
  }
});
start();

function start(): void {
  const { headersTimeoutMs: handshakeTimeoutMs } = options;
  try {
    for (const name of options.ports) {
      const isHttp = name === 'http';
      const listener = new (isHttp ? HttpListener : GrpcListener)(options, inference, health, requestLog);
      const accept = (socket: Socket): void => listener.accept(socket);
      const tls = options.tls === null ? undefined : new TlsConnections({ port: name, tls: options.tls, handshakeTimeoutMs }, accept);
      served.push({ listener, tls });
      connections.push(new TakenConnections(name, options.thread, isHttp, (socket) => (tls ?? listener).accept(socket)));
    }
    send({ type: 'listening' });
  } catch (thrown) {
    const error = asServerError(thrown);
    log.debug({ err: error }, 'cannot take connections');
    send({ type: 'failed', code: error.code, message: error.message });
    destroy();
  }
}

/** Every accepted request holds its connection open, so nothing is left when the last one has ended. */
function drain(): Promise<void> {
  drained ??= turn()
    .then(() => Promise.all(served.map(drainOne)))
    .then(() => send({ type: 'drained' }));
  return drained;
}

async function drainOne({ listener, tls }: Served): Promise<void> {
  await tls?.drain();
  await listener.drain();
}

/** The thread ends by itself afterwards: nothing keeps its event loop alive. */
function destroy(): void {
  for (const taken of connections) taken.close();
  for (const { listener, tls } of served) {
    tls?.destroy();
    listener.destroy();
  }
  health.close();
  inference.close();
  port.close();
}

function send(message: FromFrontEnd): void {
  port.postMessage(message);
}
