/** The one place where native status numbers become `ServerError`. */
import { ERRORS, ServerError, type ErrorCode } from '../errors.js';

const codeByNumber = new Map<number, ErrorCode>(Object.entries(ERRORS).map(([code, row]) => [row.number, code as ErrorCode]));

export function nativeError(status: number, message: string): ServerError {
  return new ServerError(codeByNumber.get(status) ?? 'ERR_INTERNAL', message);
}

/** Errors that the addon throws carry `status`; everything else passes through unchanged. */
function fromNative(thrown: unknown): unknown {
  if (thrown instanceof Error && 'status' in thrown && typeof thrown.status === 'number') {
    return nativeError(thrown.status, thrown.message);
  }
  return thrown;
}

/** Runs a call into the addon, with its failures translated. */
export function callNative<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw fromNative(thrown);
  }
}

/** As `callNative`, for a call that ends later. */
export async function awaitNative<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    throw fromNative(thrown);
  }
}
