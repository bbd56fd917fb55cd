/** POST /v2/models/M/infer: headers, body, the engine, reply. The body's meaning is the engine's business. */
import type { Inference } from '../../bridge/inference.js';
import type { Allotment, ByteBudget } from './byte-budget.js';
import { decompress } from './compression.js';
import type { Exchange } from './exchange.js';
import { readInferHeaders } from './infer-headers.js';
import { sendInferReply } from './reply.js';
import { readBody } from './request-body.js';
import type { ModelPath } from './router.js';

export interface InferRouteOptions {
  /** Of all bodies that are being taken in. */
  readonly budget: ByteBudget;
  /** Of a body, compressed and decompressed. */
  readonly maxRequestBytes: number;
  /** A client that takes nothing of its answer for so long is cut off; 0 = never. */
  readonly stallTimeoutMs: number;
}

export class InferRoute {
  readonly #inference: Inference;
  readonly #options: InferRouteOptions;

  constructor(inference: Inference, options: InferRouteOptions) {
    this.#inference = inference;
    this.#options = options;
  }

  /** Answers the exchange, whatever happens; never rejects. */
  async handle(exchange: Exchange, path: ModelPath): Promise<void> {
    const allotment = this.#options.budget.open();
    try {
      await this.#infer(exchange, path, allotment);
    } catch (thrown) {
      exchange.fail(thrown);
    } finally {
      allotment.close();
    }
  }

  async #infer(exchange: Exchange, { model, version }: ModelPath, allotment: Allotment): Promise<void> {
    const { request } = exchange;
    const maxBytes = this.#options.maxRequestBytes;
    exchange.bodyPending = true;
    const headers = readInferHeaders(request.rawHeaders);
    let chunks = await readBody(request, { contentLength: headers.contentLength, chunked: headers.chunked, maxBytes, allotment });
    exchange.bodyPending = false;
    if (exchange.ended) return;
    exchange.bytesIn = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (headers.bodyEncoding !== 'identity') {
      chunks = await decompress(chunks, headers.bodyEncoding, maxBytes, allotment);
      if (exchange.ended) return;
    }

    let answered = false;
    const token = this.#inference.submitHttp(
      { model, version, chunks, jsonBytes: headers.jsonBytes, timeoutMs: 0 },
      {
        onReply: (reply) => {
          answered = true;
          exchange.requestId = reply.requestId;
          try {
            sendInferReply(exchange, reply, headers.replyEncoding, this.#options.stallTimeoutMs);
          } catch (thrown) {
            // The completions behind this one must still be delivered.
            reply.release();
            exchange.fail(thrown);
          }
        },
        onError: (error, requestId) => {
          answered = true;
          exchange.requestId = requestId;
          exchange.fail(error);
        },
      },
    );
    exchange.onEnd(() => {
      if (!answered) this.#inference.cancel(token);
    });
  }
}
