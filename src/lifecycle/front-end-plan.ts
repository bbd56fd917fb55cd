/** Who serves the ports, with how many threads. */
import { defaultFrontEndCount, usableCpus } from '../config/cpu-limit.js';
import { OptionsError } from '../config/load.js';
import type { Options } from '../config/options.js';

/**
 * JavaScript threads beside the native front end: as many as would serve without it, within bounds. Two at least, whatever the CPUs: what
 * comes while the only one has died and is replaced would be lost. Four at most: what is left for them (probes, documents, health streams,
 * odd requests) is rarely most of the load.
 */
const MIN_HAND_OFF_THREADS = 2;
const MAX_HAND_OFF_THREADS = 4;

export interface FrontEndPlan {
  readonly kind: 'native' | 'js';
  /** Native threads; 0 where JavaScript serves. */
  readonly loops: number;
  /** JavaScript threads: they serve the ports, or what the native front end passes on. */
  readonly threads: number;
  /** For the log: why `auto` did not take the native one; empty = nothing to say. */
  readonly reason: string;
}

/** Threads that take in bodies. */
export function receivingThreads({ loops, threads }: FrontEndPlan): number {
  return loops + threads;
}

type DecidingOptions = Pick<Options, 'frontEnd' | 'frontEndThreads' | 'allowGrpc' | 'tlsCert'>;

/** Why the native front end cannot do something, or undefined; asked only where it matters. */
export interface NativeFaults {
  readonly grpc: () => string | undefined;
  readonly tls: () => string | undefined;
}

/** Throws `OptionsError`. */
export function planFrontEnd(options: DecidingOptions, faults: NativeFaults): FrontEndPlan {
  const { frontEnd, frontEndThreads } = options;
  const serving = frontEndThreads > 0 ? frontEndThreads : defaultFrontEndCount(usableCpus());
  const fault = frontEnd === 'js' ? undefined : nativeFault(options, faults);
  if (fault !== undefined && frontEnd === 'native') throw new OptionsError([`--front-end: native ${fault}`]);
  if (frontEnd === 'js' || fault !== undefined) return { kind: 'js', loops: 0, threads: serving, reason: fault ?? '' };
  const threads = Math.min(MAX_HAND_OFF_THREADS, Math.max(MIN_HAND_OFF_THREADS, serving));
  return { kind: 'native', loops: serving, threads, reason: '' };
}

function nativeFault({ allowGrpc, tlsCert }: DecidingOptions, { grpc, tls }: NativeFaults): string | undefined {
  const grpcFault = allowGrpc ? grpc() : undefined;
  if (grpcFault !== undefined) return `cannot serve gRPC here: ${grpcFault}`;
  const tlsFault = tlsCert === '' ? undefined : tls();
  return tlsFault === undefined ? undefined : `cannot end TLS here: ${tlsFault}`;
}
