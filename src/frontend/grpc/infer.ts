/** ModelInfer: message bytes down, message bytes up. */
import type { handleUnaryCall } from '@grpc/grpc-js';
import type { Inference } from '../../bridge/inference.js';
import type { RequestLog } from '../request-log.js';
import { UnaryExchange } from './unary.js';

export function inferCall(inference: Inference, log: RequestLog): handleUnaryCall<Buffer, Buffer> {
  return (call, send) => {
    const exchange = new UnaryExchange(call, send, log);
    // The client left while its message was still being decompressed.
    if (call.cancelled) return;
    try {
      const token = inference.submitGrpc(call.request, timeoutMs(call.getDeadline(), Date.now()), {
        onReply: (reply) => {
          exchange.requestId = reply.requestId;
          try {
            exchange.reply(typeof reply.head === 'string' ? Buffer.from(reply.head, 'latin1') : reply.head);
          } catch (thrown) {
            // The completions behind this one must still be delivered.
            exchange.fail(thrown);
          } finally {
            // grpc-js has copied the message into its frame by now.
            reply.release();
          }
        },
        onError: (error, requestId) => {
          exchange.requestId = requestId;
          exchange.fail(error);
        },
      });
      exchange.onCancelled(() => inference.cancel(token));
    } catch (thrown) {
      exchange.fail(thrown);
    }
  };
}

/** Milliseconds until the deadline, at least 1; 0 = there is none. An expired call is ended by grpc-js itself. */
export function timeoutMs(deadline: Date | number, nowMs: number): number {
  const remaining = Number(deadline) - nowMs;
  return remaining === Infinity ? 0 : Math.max(1, Math.ceil(remaining));
}
