/** google.rpc.RetryInfo, as gRPC carries it: inside a google.rpc.Status in a trailer, which clients' retry helpers look for. */
import { Metadata } from '@grpc/grpc-js';
import { fromJSON, type MessageTypeDefinition } from '@grpc/proto-loader';

const STATUS_TRAILER = 'grpc-status-details-bin';
const RETRY_INFO_URL = 'type.googleapis.com/google.rpc.RetryInfo';

/** As much of googleapis' google/rpc/{status,error_details}.proto as is sent. */
const messages = fromJSON(
  {
    nested: {
      Any: { fields: { type_url: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } },
      Status: {
        fields: { code: { type: 'int32', id: 1 }, message: { type: 'string', id: 2 }, details: { rule: 'repeated', type: 'Any', id: 3 } },
      },
      Duration: { fields: { seconds: { type: 'int64', id: 1 }, nanos: { type: 'int32', id: 2 } } },
      RetryInfo: { fields: { retry_delay: { type: 'Duration', id: 1 } } },
    },
  },
  { keepCase: true },
);

/** The trailers of a call that ends with `code` and `details`, and may be tried again after `delayMs`. */
export function retryTrailers(code: number, details: string, delayMs: number): Metadata {
  const seconds = Math.floor(delayMs / 1000);
  const value = serialize('RetryInfo', { retry_delay: { seconds, nanos: Math.floor((delayMs - seconds * 1000) * 1e6) } });
  const trailers = new Metadata();
  trailers.set(STATUS_TRAILER, serialize('Status', { code, message: details, details: [{ type_url: RETRY_INFO_URL, value }] }));
  return trailers;
}

function serialize(name: string, message: object): Buffer {
  return (messages[name] as MessageTypeDefinition<object, object>).serialize(message);
}
