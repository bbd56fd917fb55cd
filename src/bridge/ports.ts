/** The ports of the process: opened on the main thread, their connections handed out by a native accept thread. */
import { addon, type NativeConnections, type NativeListener, type NativePortName } from './addon.js';
import { callNative } from './native-errors.js';

export interface PortOptions {
  readonly name: NativePortName;
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Open connections of all threads together; more are closed at once. */
  readonly maxConnections: number;
  /** Served by the native front end, which passes on to the front-end threads what it does not answer itself. */
  readonly servedNatively: boolean;
}

/** Connections wait until somebody takes them. Throws ERR_PORT_BUSY, ERR_CONFIG_OPTION. */
export function openListener(options: PortOptions): NativeListener {
  return callNative(() => addon.openListener(options));
}

/** Calls back with file descriptors of connected sockets, which the callback then owns. `thread` is its number in the metrics. */
export function takeConnections(name: NativePortName, thread: number, onConnection: (fd: number) => void): NativeConnections {
  return callNative(() => addon.takeConnections(name, thread, onConnection));
}

export type { NativeConnections, NativeListener, NativePortName } from './addon.js';
