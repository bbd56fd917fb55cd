/** Answers to what never became a request: broken HTTP, headers too large, too slow. */
import { STATUS_CODES } from 'node:http';

export interface ClientErrorAnswer {
  readonly status: number;
  readonly message: string;
}

/** `error` as node:http hands it to 'clientError'; undefined when the client is gone and there is nobody to answer. */
export function clientErrorAnswer(error: Error & { code?: string; reason?: string }): ClientErrorAnswer | undefined {
  switch (error.code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined;
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, message: 'the request headers are larger than the limit' };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 400, message: 'the chunk extensions are larger than the limit' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, message: 'the request did not arrive in time' };
    default:
      return { status: 400, message: error.reason ? `malformed HTTP request: ${error.reason}` : 'malformed HTTP request' };
  }
}

/** The whole answer as bytes on the wire; the connection must be closed after it. */
export function rawErrorResponse({ status, message }: ClientErrorAnswer): string {
  const body = JSON.stringify({ error: message });
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}
