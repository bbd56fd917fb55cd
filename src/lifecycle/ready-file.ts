/** The file that tells scripts and tests which ports a server got, once it is ready. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { ServerError } from '../errors.js';

/** Ports that are really listened on; null = switched off. */
export interface ServerPorts {
  readonly http: number | null;
  readonly grpc: number | null;
  readonly management: number | null;
}

/** Removes what an earlier server left, so that nobody takes it for ours. Throws ERR_CONFIG_OPTION. */
export function clearReadyFile(path: string): void {
  guarded(path, () => rmSync(path, { force: true }));
}

/** Appears whole or not at all. Throws ERR_CONFIG_OPTION. */
export function writeReadyFile(path: string, ports: ServerPorts): void {
  guarded(path, () => {
    const partial = `${path}.${process.pid}.partial`;
    writeFileSync(partial, `${JSON.stringify(ports)}\n`);
    renameSync(partial, path);
  });
}

function guarded(path: string, act: () => void): void {
  try {
    act();
  } catch (cause) {
    throw new ServerError('ERR_CONFIG_OPTION', `--ready-file: "${path}" cannot be written: ${(cause as Error).message}`, { cause });
  }
}
