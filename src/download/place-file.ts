/** A single file, pulled to its place. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ServerError } from '../errors.js';
import type { Logger } from '../telemetry/log.js';
import { makeFolder, removeMadeFolders, targetFault } from './disk.js';
import { download, type DownloadOptions } from './download.js';
import { PartialFile } from './partial-file.js';
import { PullLock } from './pull-lock.js';
import type { Source } from './source.js';

export interface Pull extends DownloadOptions {
  readonly source: Source;
  /** What the source is called in the log and in notes. */
  readonly sourceName: string;
}

/** Resolves when the file lies at `target`; nothing is fetched when it does already. Rejects as `download` does. */
export async function placeFile(pull: Pull, target: string, log: Logger, signal: AbortSignal): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    if (!(await holds(target, pull.sha256, signal))) return false;
    log.info({ path: target, sha256: pull.sha256 }, 'the file is there already, with the right checksum');
    return true;
  };
  if (await isThere()) return;
  const folder = dirname(target);
  const made = await makeFolder(folder);
  try {
    const wait = (): void => log.info({ path: target }, 'another pull is at it, or was killed: waiting');
    const lock = await PullLock.acquire(`${target}.partial.lock`, signal, wait);
    try {
      if (await isThere()) return;
      await fetchTo(pull, target, lock, log, signal);
    } finally {
      lock.release();
    }
  } catch (thrown) {
    await removeMadeFolders(folder, made);
    throw thrown;
  }
}

async function fetchTo(pull: Pull, target: string, lock: PullLock, log: Logger, signal: AbortSignal): Promise<void> {
  const identity = { source: pull.sourceName, sha256: pull.sha256 };
  const partial = await PartialFile.open(target, identity, () => lock.hold(), signal);
  try {
    await download(pull.source, partial, pull, log, signal);
    await partial.moveTo(target);
    log.info({ path: target, bytes: partial.sizeBytes, sha256: partial.sha256 }, 'pulled');
  } finally {
    if (partial.sizeBytes === 0) await partial.discard().catch(() => {});
    await partial.close();
  }
}

/** Whether `path` is a file with these bytes; without a checksum there is no telling, so it is not. */
async function holds(path: string, sha256: string | null, signal: AbortSignal): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) return false;
  if (!status.isFile()) throw new ServerError('ERR_PULL_TARGET', `${path} is there, and is not a file`);
  if (sha256 === null) return false;
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) hash.update(chunk as Buffer);
  } catch (thrown) {
    signal.throwIfAborted();
    throw targetFault(`${path} cannot be read`, thrown);
  }
  return hash.digest('hex') === sha256;
}
