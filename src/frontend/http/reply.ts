/** Sending the answer of an inference: the JSON document and, uncopied, the binary outputs behind it. */
import type { ServerResponse } from 'node:http';
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
  const { head, tails } = reply;
  if (encoding === 'identity') {
    exchange.onEnd(() => reply.release());
    if (typeof head === 'string') writeText(exchange, reply, head, stallTimeoutMs);
    else writeParts(exchange, reply, [head, ...tails], 'identity', stallTimeoutMs);
    return;
  }
  const plain = [typeof head === 'string' ? Buffer.from(head, 'latin1') : head, ...tails];
  compress(plain, encoding)
    .then(
      (compressed) => {
        reply.release();
        writeParts(exchange, reply, compressed, encoding, stallTimeoutMs);
      },
      () => {
        exchange.onEnd(() => reply.release());
        writeParts(exchange, reply, plain, 'identity', stallTimeoutMs);
      },
    )
    .catch((thrown: unknown) => exchange.fail(thrown));
}

function writeParts(exchange: Exchange, reply: InferReply, parts: readonly Buffer[], encoding: Encoding, stallTimeoutMs: number): void {
  if (exchange.ended) return;
  writeHead(
    exchange,
    reply,
    parts.reduce((sum, part) => sum + part.length, 0),
    encoding,
  );
  const { response } = exchange;
  // One writev for header, document and tensors.
  response.cork();
  for (const part of parts) response.write(part);
  response.end();
  watchStall(response, stallTimeoutMs);
}

/** One character for each byte: node:http joins it with the header. */
function writeText(exchange: Exchange, reply: InferReply, text: string, stallTimeoutMs: number): void {
  writeHead(exchange, reply, text.length, 'identity');
  exchange.response.end(text, 'latin1');
  watchStall(exchange.response, stallTimeoutMs);
}

function writeHead(exchange: Exchange, { jsonBytes }: InferReply, bytes: number, encoding: Encoding): void {
  const headers =
    jsonBytes >= 0
      ? ['Content-Type', 'application/octet-stream', 'Inference-Header-Content-Length', String(jsonBytes)]
      : ['Content-Type', 'application/json'];
  headers.push('Content-Length', String(bytes));
  if (encoding !== 'identity') headers.push('Content-Encoding', encoding);
  exchange.bytesOut = bytes;
  exchange.writeHead(200, headers);
}

/** Where the kernel has not taken all of it. Node sets the socket's idle time anew when the answer has left. */
function watchStall(response: ServerResponse, stallTimeoutMs: number): void {
  if (response.writableLength === 0 || stallTimeoutMs === 0) return;
  response.setTimeout(stallTimeoutMs);
  // Or it would go on for the request that follows. Before node:http, which sets the time that the connection may idle.
  response.prependOnceListener('finish', () => response.setTimeout(0));
}
