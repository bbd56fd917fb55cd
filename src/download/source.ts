/** Where bytes come from: what a server and a file have in common. */
import { ServerError } from '../errors.js';

/** What an earlier, broken attempt has left. */
export interface Resume {
  readonly offsetBytes: number;
  /** `validator` of the answer that those bytes came from; empty = unknown, and only a checksum can tell whether both halves fit. */
  readonly validator: string;
}

export interface OpenedSource {
  /** Position of the first byte of `body`: what was asked for, or 0 when the source cannot or must not go on there. */
  readonly offsetBytes: number;
  /** Of the whole, not of `body`; null = unknown. */
  readonly totalBytes: number | null;
  /** Tells one state of the source from another; empty = the source gives none. */
  readonly validator: string;
  /** Fails with `ServerError` only. Ended early, it lets go of its socket or file. */
  readonly body: AsyncIterable<Buffer>;
}

/** Asks once. Rejects with ERR_PULL_SOURCE when a later attempt may work, with ERR_PULL_REFUSED when none will. */
export type Source = (resume: Resume | null, signal: AbortSignal) => Promise<OpenedSource>;

/** For logs and messages: without the query, which often carries a signature. */
export function shownUri(uri: URL): string {
  return uri.protocol === 'file:' ? `file://${uri.pathname}` : `${uri.origin}${uri.pathname}`;
}

export function refused(message: string, cause?: unknown): ServerError {
  return new ServerError('ERR_PULL_REFUSED', message, { cause });
}

export function tryAgain(message: string, options: { cause?: unknown; retryAfterMs?: number } = {}): ServerError {
  return new ServerError('ERR_PULL_SOURCE', message, options);
}

/** What went wrong, as short as Node has it: "ECONNRESET", or else its message. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { code } = thrown as NodeJS.ErrnoException;
  return code === undefined || thrown.message.includes(code) ? thrown.message : `${thrown.message} (${code})`;
}
