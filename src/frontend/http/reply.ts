/** Sending the answer of an inference: the JSON document and, uncopied, the binary outputs behind it. */
import type { InferReply } from '../../bridge/inference.js';
import { compress, type Encoding } from './compression.js';
import type { Exchange } from './exchange.js';

/**
 * Writes the reply and gives its native memory back exactly once: when the kernel has taken the bytes, or when the client is gone.
 * `stallTimeoutMs`: a client that takes nothing for so long is cut off, because it holds that memory; 0 = never.
 */
export function sendInferReply(exchange: Exchange, reply: InferReply, encoding: Encoding, stallTimeoutMs: number): void {
  if (exchange.ended) {
    reply.release();
    return;
  }
  const plain = [reply.head, ...reply.tails];
  if (encoding === 'identity') {
    exchange.onEnd(() => reply.release());
    write(exchange, reply, plain, 'identity', stallTimeoutMs);
    return;
  }
  compress(plain, encoding)
    .then(
      (compressed) => {
        reply.release();
        write(exchange, reply, compressed, encoding, stallTimeoutMs);
      },
      () => {
        exchange.onEnd(() => reply.release());
        write(exchange, reply, plain, 'identity', stallTimeoutMs);
      },
    )
    .catch((thrown: unknown) => exchange.fail(thrown));
}

function write(exchange: Exchange, reply: InferReply, parts: readonly Buffer[], encoding: Encoding, stallTimeoutMs: number): void {
  if (exchange.ended) return;
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  const headers = reply.binary
    ? ['Content-Type', 'application/octet-stream', 'Inference-Header-Content-Length', String(reply.head.length)]
    : ['Content-Type', 'application/json'];
  headers.push('Content-Length', String(bytes));
  if (encoding !== 'identity') headers.push('Content-Encoding', encoding);
  exchange.bytesOut = bytes;
  exchange.writeHead(200, headers);
  const { response } = exchange;
  // One writev for header, document and tensors.
  response.cork();
  for (const part of parts) response.write(part);
  response.end();
  // Node sets the socket's idle time anew when the answer has left.
  if (!response.writableFinished && stallTimeoutMs > 0) response.setTimeout(stallTimeoutMs);
}
