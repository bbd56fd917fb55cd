/** The engine's door with behaviour of the test's choice. Import it only where bridge/addon.js is mocked. */
import type { HttpInferMessage, Inference, InferHandler, InferReply } from '../../../src/bridge/inference.js';
import type { FrontEndOptions } from '../../../src/bridge/thread-messages.js';

export interface Submitted {
  readonly token: number;
  readonly message: HttpInferMessage | Uint8Array;
  readonly timeoutMs: number;
  readonly handler: InferHandler;
}

export class FakeInference {
  readonly submitted: Submitted[] = [];
  readonly cancelled: number[] = [];
  /** Called with each request once it is accepted. */
  onSubmit: (submitted: Submitted) => void = () => {};
  refuse: Error | undefined;

  get asInference(): Inference {
    return this as unknown as Inference;
  }

  submitHttp(message: HttpInferMessage, handler: InferHandler): number {
    return this.#accept(message, message.timeoutMs, handler);
  }

  submitGrpc(message: Uint8Array, timeoutMs: number, handler: InferHandler): number {
    return this.#accept(message, timeoutMs, handler);
  }

  cancel(token: number): void {
    this.cancelled.push(token);
  }

  #accept(message: HttpInferMessage | Uint8Array, timeoutMs: number, handler: InferHandler): number {
    if (this.refuse !== undefined) throw this.refuse;
    const submitted = { token: this.submitted.length + 1, message, timeoutMs, handler };
    this.submitted.push(submitted);
    setImmediate(() => this.onSubmit(submitted));
    return submitted.token;
  }
}

/** A reply that counts how often it is given back. */
export function countedReply(head: Buffer | string, tails: readonly Buffer[] = [], requestId = ''): InferReply & { released: number } {
  return {
    requestId,
    head,
    jsonBytes: tails.length > 0 ? head.length : -1,
    tails,
    released: 0,
    release() {
      this.released += 1;
    },
  };
}

export const frontEndOptions: FrontEndOptions = {
  thread: 0,
  ports: ['http', 'grpc'],
  maxRequestBytes: 1_000_000,
  maxReceivingBytes: 0,
  maxConcurrentStreams: 100,
  headersTimeoutMs: 2000,
  requestTimeoutMs: 3000,
  keepAliveTimeoutMs: 5000,
  accessLog: false,
  logLevel: 'silent',
  serverVersion: '1.2.3',
  tls: null,
};
