/** What one run of the load generator is asked for. */

export interface LoadSettings {
  /** `http:`, whose path comes before those of the protocol, or `grpc:`. */
  readonly url: URL;
  readonly model: string;
  /** Empty = the server chooses. */
  readonly modelVersion: string;
  /** Requests per second of an open loop; null = closed, or a trace. */
  readonly rate: number | null;
  /** Seconds; null = as long as the trace. */
  readonly duration: number | null;
  /** As the generator takes it: poisson, constant, gamma:SHAPE or trace:FILE. */
  readonly arrivals: string;
  /** Requests in flight of a closed loop; null = open. */
  readonly closedLoop: number | null;
  /** Seconds before `duration` that are not counted. */
  readonly warmUp: number;
  /** Seconds after the last request was sent; what has no answer then has none. */
  readonly grace: number;
  /** Rows of each request, where the model's first dimension is free. */
  readonly batchSize: number;
  /** Whole shapes of inputs, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly data: 'random' | 'zeros';
  readonly seed: number;
  readonly threads: number;
  readonly connections: number;
  /** Calls of gRPC at a time on a connection; null = the generator decides, or HTTP. */
  readonly streams: number | null;
  /** Milliseconds that an answer may take, counted exactly; null = no goal. */
  readonly goalMs: number | null;
}
