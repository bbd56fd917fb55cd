/** The native front end, with its failures as `ServerError`. Main thread. */
import { addon, type NativeFrontEnd, type NativeFrontEndOptions, type NativeRequestEvent } from './addon.js';
import { callNative } from './native-errors.js';

/** Why gRPC cannot be served natively by this process; undefined = it can. */
export function nativeGrpcFault(): string | undefined {
  return callNative(() => addon.findNghttp2())?.[1];
}

/** Why TLS cannot be ended natively by this process; undefined = it can. */
export function nativeTlsFault(): string | undefined {
  return callNative(() => addon.findTls())?.[1];
}

/**
 * Serves the ports that were opened for it from now on. Throws ERR_NOT_SUPPORTED where `nativeGrpcFault` or `nativeTlsFault` has something
 * to say, and ERR_CONFIG_OPTION that says which text of TLS is wrong.
 */
export function startFrontEnd(
  options: NativeFrontEndOptions,
  onDrained: () => void,
  onEvents: (events: readonly NativeRequestEvent[], lost: number) => void,
): NativeFrontEnd {
  return callNative(() => addon.startFrontEnd(options, onDrained, onEvents));
}

export type { NativeFrontEnd, NativeFrontEndOptions, NativeRequestEvent, TlsMaterial } from './addon.js';
