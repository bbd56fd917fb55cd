/** The headers that matter to inference, read in one pass over the raw list: building Node's header object costs more than the rest of the route. */
import { ServerError } from '../../errors.js';
import { chooseEncoding, type Encoding } from './compression.js';

export interface InferHeaders {
  /** `Inference-Header-Content-Length`; -1 = absent. */
  readonly jsonBytes: number;
  /** `Content-Length`, already validated by the HTTP parser; -1 = absent. */
  readonly contentLength: number;
  /** The body comes in chunks of the client's choice. */
  readonly chunked: boolean;
  readonly bodyEncoding: Encoding;
  /** Best of what the client accepts for the answer. */
  readonly replyEncoding: Encoding;
}

const JSON_BYTES = 'inference-header-content-length';
const CONTENT_LENGTH = 'content-length';
const TRANSFER_ENCODING = 'transfer-encoding';
const CONTENT_ENCODING = 'content-encoding';
const ACCEPT_ENCODING = 'accept-encoding';

/** `rawHeaders`: names and values alternating. Throws ERR_REQUEST_HEADER, ERR_REQUEST_ENCODING. */
export function readInferHeaders(rawHeaders: readonly string[]): InferHeaders {
  let jsonBytes: string | undefined;
  let contentLength = -1;
  let chunked = false;
  let bodyEncoding = '';
  let acceptEncoding = '';
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    // Only names of these lengths can match; lower-casing every header would cost more than this comparison.
    switch (name.length) {
      case JSON_BYTES.length:
      case CONTENT_LENGTH.length:
      case TRANSFER_ENCODING.length:
      case CONTENT_ENCODING.length:
      case ACCEPT_ENCODING.length:
        break;
      default:
        continue;
    }
    const value = rawHeaders[index + 1] as string;
    switch (name.toLowerCase()) {
      case JSON_BYTES:
        if (jsonBytes !== undefined && jsonBytes !== value) {
          throw new ServerError(
            'ERR_REQUEST_HEADER',
            `Inference-Header-Content-Length is given twice: '${clip(jsonBytes)}' and '${clip(value)}'`,
          );
        }
        jsonBytes = value;
        break;
      case CONTENT_LENGTH:
        contentLength = Number(value);
        break;
      case TRANSFER_ENCODING:
        chunked = true;
        break;
      case CONTENT_ENCODING:
        bodyEncoding = join(bodyEncoding, value);
        break;
      case ACCEPT_ENCODING:
        acceptEncoding = join(acceptEncoding, value);
        break;
    }
  }
  return {
    jsonBytes: jsonBytes === undefined ? -1 : parseJsonBytes(jsonBytes),
    contentLength,
    chunked,
    bodyEncoding: parseBodyEncoding(bodyEncoding),
    replyEncoding: acceptEncoding === '' ? 'identity' : chooseEncoding(acceptEncoding),
  };
}

/** Decimal digits only, below 2^53: whatever another reader might take for a different number is refused. */
export function parseJsonBytes(value: string): number {
  const bytes = /^[0-9]+$/.test(value) ? Number(value) : -1;
  // Above 2^53 two texts may be one number.
  if (bytes < 0 || !Number.isSafeInteger(bytes)) {
    throw new ServerError(
      'ERR_REQUEST_HEADER',
      `Inference-Header-Content-Length is '${clip(value)}'; expected the number of bytes of the JSON part, in decimal digits`,
    );
  }
  return bytes;
}

/** Exactly one of gzip and deflate, or nothing. Throws ERR_REQUEST_ENCODING. */
export function parseBodyEncoding(value: string): Encoding {
  const codings = value.split(',').map((coding) => coding.trim().toLowerCase());
  const applied = codings.filter((coding) => coding !== '' && coding !== 'identity');
  const [first, second] = applied;
  if (first === undefined) return 'identity';
  if (second === undefined && (first === 'gzip' || first === 'deflate')) return first;
  throw new ServerError('ERR_REQUEST_ENCODING', `Content-Encoding is '${clip(value)}'; expected gzip, deflate or identity`);
}

function join(earlier: string, value: string): string {
  return earlier === '' ? value : `${earlier},${value}`;
}

function clip(value: string): string {
  return value.length <= 64 ? value : `${value.slice(0, 64)}...`;
}
