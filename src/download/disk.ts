/** What the folder that takes a download must be asked and told. All failures are ERR_PULL_TARGET. */
import { mkdir, open, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ServerError } from '../errors.js';
import { reasonOf } from './source.js';

/** `doing`: what was tried, such as "/models cannot be written". */
export function targetFault(doing: string, thrown: unknown): ServerError {
  if (thrown instanceof ServerError) return thrown;
  return new ServerError('ERR_PULL_TARGET', `${doing}: ${reasonOf(thrown)}`, { cause: thrown });
}

/** Bytes that this user may still write; Infinity where the file system does not say. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize, blocks } = await statfs(folder);
  return blocks === 0 ? Infinity : bavail * bsize;
}

/** Rejects before anything is taken that could not be kept. */
export async function requireRoom(folder: string, neededBytes: number): Promise<void> {
  const free = await freeBytes(folder).catch((thrown: unknown) => Promise.reject(targetFault(`${folder} cannot be read`, thrown)));
  if (neededBytes > free) throw new ServerError('ERR_PULL_TARGET', `${folder} has ${free} bytes free, and ${neededBytes} are needed`);
}

/**
 * Makes a folder and those above it. Resolves with the topmost that was made; undefined = it was there. Node's own recursive mkdir never
 * returns where a file system answers ENOENT below a folder that exists, as /proc does.
 */
export async function makeFolder(folder: string): Promise<string | undefined> {
  try {
    return await makeOne(folder);
  } catch (thrown) {
    const above = dirname(folder);
    const isAboveMissing = (thrown as NodeJS.ErrnoException).code === 'ENOENT' && above !== folder;
    const topmost = isAboveMissing ? await makeFolder(above) : undefined;
    const made = isAboveMissing ? await makeOne(folder).catch(() => null) : null;
    if (made === null) throw targetFault(`the folder ${folder} cannot be made`, thrown);
    return topmost ?? made;
  }
}

/** undefined: another was quicker, or it was there. */
async function makeOne(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder);
    return folder;
  } catch (thrown) {
    if ((await stat(folder).catch(() => undefined))?.isDirectory() === true) return undefined;
    throw thrown;
  }
}

/** Takes back what `makeFolder` made, as far as it is empty. Never rejects. */
export async function removeMadeFolders(folder: string, topmost: string | undefined): Promise<void> {
  if (topmost === undefined) return;
  try {
    for (let at = folder; at.length >= topmost.length; at = dirname(at)) await rmdir(at);
  } catch {
    // Something lies in it.
  }
}

/** A new name is on the disk only once its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
