/** The worst case of request memory that the limits allow, printed at start so that nobody has to find it out. */
import type { Options } from '../config/options.js';

/** Bytes; null = no limit is set. Weights, model workspaces and outputs of models come on top. */
export interface MemoryBound {
  /** Bodies that are being received over HTTP: every connection with the largest body, within --max-receiving-bytes. */
  readonly receivingHttpBytes: number;
  /** The same over gRPC: every stream of every connection. */
  readonly receivingGrpcBytes: number;
  /** Inputs of accepted requests, the bytes waiting in queues included. */
  readonly acceptedBytes: number | null;
}

/** Each thread's part of --max-receiving-bytes: never less than one request may have, or a server with many threads would refuse it. 0 = no limit. */
export function receivingBytesPerThread({ maxReceivingBytes, maxRequestBytes }: Options, threads: number): number {
  return maxReceivingBytes === 0 ? 0 : Math.max(maxRequestBytes, Math.floor(maxReceivingBytes / threads));
}

/** `threads`: those that take in bodies. */
export function memoryBound(options: Options, threads: number): MemoryBound {
  const receiving = options.maxConnections * options.maxRequestBytes;
  const accepted = [options.maxInFlightBytes, options.maxInFlightRequests * options.maxRequestBytes].filter((bytes) => bytes > 0);
  return {
    receivingHttpBytes: options.allowHttp ? Math.min(receiving, receivingBytesPerThread(options, threads) * threads || Infinity) : 0,
    receivingGrpcBytes: options.allowGrpc ? receiving * options.grpcMaxConcurrentStreams : 0,
    acceptedBytes: accepted.length === 0 ? null : Math.min(...accepted),
  };
}
