/** Taking in a request body: bounded in bytes and in pieces, and never joined into one buffer. */
import type { IncomingMessage } from 'node:http';
import { ServerError, asServerError } from '../../errors.js';
import type { Allotment } from './byte-budget.js';

/** Non-empty chunks of one chunked body (protocol.md 1.4): each costs far more memory than its bytes. */
export const MAX_CHUNKS = 65_536;

/** Fragments smaller than this are copied together once a body has shown to come in many of them. */
const SMALL_FRAGMENT_BYTES = 4096;
const FRAGMENTS_BEFORE_GATHERING = 64;
const BLOCK_BYTES = 64 * 1024;

/** The fragments of one body in order. Holds little more memory than the bytes it was given, however small the fragments are. */
export class FragmentList {
  #fragments: Buffer[] = [];
  #block: Buffer | undefined;
  /** Bytes of the block that are taken, and where its unlisted part begins. */
  #used = 0;
  #listed = 0;
  #bytes = 0;
  #count = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Fragments added, empty ones not counted. */
  get count(): number {
    return this.#count;
  }

  add(fragment: Buffer): void {
    if (fragment.length === 0) return;
    this.#bytes += fragment.length;
    this.#count += 1;
    if (this.#count <= FRAGMENTS_BEFORE_GATHERING || fragment.length >= SMALL_FRAGMENT_BYTES) {
      this.#listBlock();
      this.#fragments.push(fragment);
      return;
    }
    if (this.#block === undefined || this.#used + fragment.length > this.#block.length) {
      this.#listBlock();
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#used = 0;
      this.#listed = 0;
    }
    // eslint-disable-next-line no-restricted-syntax -- A crumb kept as it is would hold the whole buffer that it was received in.
    this.#used += fragment.copy(this.#block, this.#used);
  }

  /** The fragments, which the list keeps no hold of: a request outlives its body. Nothing may be added afterwards. */
  take(): Buffer[] {
    this.#listBlock();
    const taken = this.#fragments;
    this.#fragments = [];
    this.#block = undefined;
    return taken;
  }

  #listBlock(): void {
    if (this.#block === undefined || this.#used === this.#listed) return;
    this.#fragments.push(this.#block.subarray(this.#listed, this.#used));
    this.#listed = this.#used;
  }
}

export interface BodyBounds {
  /** `Content-Length`; -1 = absent. */
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly maxBytes: number;
  /** Charged with each fragment; the caller closes it. */
  readonly allotment: Allotment;
}

/**
 * Resolves with the fragments as received. A body that is declared too large is refused before a byte of it is read, a chunked one as soon
 * as it passes a limit. Throws ERR_REQUEST_TOO_LARGE, ERR_IN_FLIGHT_FULL, and ERR_REQUEST_CANCELLED when the client leaves first.
 */
export function readBody(request: IncomingMessage, bounds: BodyBounds): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    if (bounds.contentLength > bounds.maxBytes) {
      reject(new ServerError('ERR_REQUEST_TOO_LARGE', `the body has ${bounds.contentLength} bytes; the limit is ${bounds.maxBytes}`));
      return;
    }
    const list = new FragmentList();
    const stop = (error: ServerError): void => {
      request.removeListener('data', onData);
      list.take(); // Dropped now: the connection lingers, and nobody is charged for these bytes any more.
      reject(error);
    };
    const onData = (fragment: Buffer): void => {
      try {
        bounds.allotment.take(fragment.length);
      } catch (thrown) {
        stop(asServerError(thrown));
        return;
      }
      list.add(fragment);
      if (list.bytes > bounds.maxBytes) {
        stop(new ServerError('ERR_REQUEST_TOO_LARGE', `the body is larger than the limit of ${bounds.maxBytes} bytes`));
      } else if (bounds.chunked && list.count > MAX_CHUNKS) {
        stop(new ServerError('ERR_REQUEST_TOO_LARGE', `the body comes in more than ${MAX_CHUNKS} chunks`));
      }
    };
    const onGone = (): void => {
      // An error takes its stack trace: too dear for each request that has ended well.
      if (!request.readableEnded) stop(new ServerError('ERR_REQUEST_CANCELLED', 'the client left before its whole request had arrived'));
    };
    request.on('data', onData);
    request.on('end', () => resolve(list.take()));
    // Comes in every case. Nobody listens for 'error', so there is none.
    request.on('close', onGone);
  });
}
