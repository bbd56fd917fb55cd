/** What the start options say to those who serve the ports. */
import { randomBytes } from 'node:crypto';
import type { NativeFrontEndOptions, TlsMaterial } from '../bridge/front-end.js';
import type { NativePortName } from '../bridge/ports.js';
import type { FrontEndOptions, ThreadTls } from '../bridge/thread-messages.js';
import type { Options } from '../config/options.js';
import { VERSION } from '../config/version.js';
import { receivingThreads, type FrontEndPlan } from './front-end-plan.js';
import { receivingBytesPerThread } from './memory-bound.js';

export function portNames({ allowHttp, allowGrpc }: Options): NativePortName[] {
  return [...(allowHttp ? (['http'] as const) : []), ...(allowGrpc ? (['grpc'] as const) : [])];
}

/** A name, a key to authenticate and a key to encrypt with, of 16 bytes each. */
const TICKET_KEYS_BYTES = 48;

/** With new keys for tickets: who could read them can read what was recorded, so that they go with the certificate, as OpenSSL's own do. */
export function threadTls(material: TlsMaterial): ThreadTls {
  return { material, ticketKeys: randomBytes(TICKET_KEYS_BYTES) };
}

/** What both kinds of thread are told. */
function limits(options: Options, plan: FrontEndPlan) {
  return {
    maxRequestBytes: options.maxRequestBytes,
    maxReceivingBytes: receivingBytesPerThread(options, receivingThreads(plan)),
    maxConcurrentStreams: options.grpcMaxConcurrentStreams,
    headersTimeoutMs: options.httpHeadersTimeoutMs,
    requestTimeoutMs: options.httpRequestTimeoutMs,
    keepAliveTimeoutMs: options.httpKeepAliveTimeoutMs,
  };
}

/** `thread`: the number of a JavaScript thread. `tls`: of the ports; what the native front end passes on within the process is plain. */
export function threadOptions(options: Options, plan: FrontEndPlan, thread: number, tls: ThreadTls | undefined): FrontEndOptions {
  const { accessLog, logLevel } = options;
  const ended = plan.kind === 'js' ? (tls ?? null) : null;
  return { thread, ports: portNames(options), ...limits(options, plan), accessLog, logLevel, serverVersion: VERSION, tls: ended };
}

interface LoopFacts {
  /** The log has lines for what clients did wrong. */
  readonly logsRefusals: boolean;
  readonly tls: TlsMaterial | undefined;
}

export function loopOptions(options: Options, plan: FrontEndPlan, { logsRefusals, tls }: LoopFacts): NativeFrontEndOptions {
  const native = { loops: plan.loops, ...limits(options, plan), logsRequests: options.accessLog, logsRefusals };
  return tls === undefined ? native : { ...native, tls };
}
