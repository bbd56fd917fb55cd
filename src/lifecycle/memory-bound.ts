/** The worst case of request memory that the limits allow, printed at start so that nobody has to find it out. */
import type { Options } from '../config/options.js';
import { receivingThreads, type FrontEndPlan } from './front-end-plan.js';

/** Bytes; null = no limit is set. Weights, model workspaces and outputs of models come on top. */
export interface MemoryBound {
  /** Bodies that are being received over HTTP: every connection with the largest body, within --max-receiving-bytes. */
  readonly receivingHttpBytes: number;
  /** The same over gRPC: every stream of every connection. Natively within --max-receiving-bytes, whose share of a thread is for HTTP, too. */
  readonly receivingGrpcBytes: number;
  /** Native front end: what the same streams may hold of calls that JavaScript takes in, such as ones in an unknown encoding: beyond --max-receiving-bytes. */
  readonly passedOnGrpcBytes: number;
  /** Native front end: on its way between JavaScript and the HTTP clients that it serves. */
  readonly tunnelBytes: number;
  /** Inputs of accepted requests, the bytes waiting in queues included. */
  readonly acceptedBytes: number | null;
}

/** Of one HTTP connection, both ways together: native/frontend/tunnel.h. */
const TUNNEL_BYTES = 2 * 256 * 1024;

/** Each thread's part of --max-receiving-bytes: never less than one request may have, or a server with many threads would refuse it. 0 = no limit. */
export function receivingBytesPerThread({ maxReceivingBytes, maxRequestBytes }: Options, threads: number): number {
  return maxReceivingBytes === 0 ? 0 : Math.max(maxRequestBytes, Math.floor(maxReceivingBytes / threads));
}

export function memoryBound(options: Options, plan: FrontEndPlan): MemoryBound {
  const threads = receivingThreads(plan);
  const share = receivingBytesPerThread(options, threads) || Infinity;
  const receiving = options.maxConnections * options.maxRequestBytes;
  const streams = options.allowGrpc ? receiving * options.grpcMaxConcurrentStreams : 0;
  const native = plan.kind === 'native';
  const accepted = [options.maxInFlightBytes, options.maxInFlightRequests * options.maxRequestBytes].filter((bytes) => bytes > 0);
  return {
    receivingHttpBytes: options.allowHttp ? Math.min(receiving, share * threads) : 0,
    receivingGrpcBytes: native ? Math.min(streams, share * plan.loops) : streams,
    passedOnGrpcBytes: native ? streams : 0,
    tunnelBytes: native && options.allowHttp ? options.maxConnections * TUNNEL_BYTES : 0,
    acceptedBytes: accepted.length === 0 ? null : Math.min(...accepted),
  };
}
