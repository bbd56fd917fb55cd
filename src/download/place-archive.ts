/**
 * An archive, pulled and unpacked into a folder. It is unpacked inside that folder, which often is a mount that cannot be renamed, and its
 * top entries are then put in place one by one. A note tells the next run which archives they are of.
 */
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../telemetry/log.js';
import { makeFolder, removeMadeFolders, syncFolder, targetFault } from './disk.js';
import { download } from './download.js';
import { PartialFile } from './partial-file.js';
import type { Pull } from './place-file.js';
import { PullLock } from './pull-lock.js';
import { refused } from './source.js';
import { unpack } from './unpack.js';

/** All that is ours in a folder that is not ours begins with this: models do not begin with a dot. */
const PREFIX = '.penstock-pull';

/** An archive whose entries all lie here as it had them. */
interface Placed {
  readonly sha256: string;
  readonly entries: readonly string[];
}

/**
 * Resolves when the entries of the archive lie in `folder`; nothing is fetched when they do already. Entries of the same names are
 * replaced and all others are left alone, so that several archives can fill one repository. Rejects as `download` and `unpack` do.
 */
export async function placeArchive(pull: Pull, folder: string, log: Logger, signal: AbortSignal): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    const placed = (await readNote(folder)).find(({ sha256 }) => sha256 === pull.sha256);
    if (placed === undefined) return false;
    for (const name of placed.entries) if (!(await exists(join(folder, name)))) return false;
    log.info({ path: folder, ...placed }, 'the archive is unpacked there already');
    return true;
  };
  if (await isThere()) return;
  const made = await makeFolder(folder);
  try {
    const wait = (): void => log.info({ path: folder }, 'another pull is at it, or was killed: waiting');
    const lock = await PullLock.acquire(join(folder, `${PREFIX}.lock`), signal, wait);
    try {
      if (!(await isThere())) await fetchInto(pull, folder, lock, log, signal);
    } finally {
      lock.release();
    }
  } catch (thrown) {
    await removeMadeFolders(folder, made);
    throw thrown;
  }
}

async function fetchInto(pull: Pull, folder: string, lock: PullLock, log: Logger, signal: AbortSignal): Promise<void> {
  const identity = { source: pull.sourceName, sha256: pull.sha256 };
  const partial = await PartialFile.open(join(folder, `${PREFIX}.archive`), identity, () => lock.hold(), signal);
  const unpacked = join(folder, `${PREFIX}.unpacked`);
  let isWanted = true;
  try {
    await download(pull.source, partial, pull, log, signal);
    // The bytes are what was asked for: if they are of no use, they will not be next time.
    isWanted = false;
    log.info({ bytes: partial.sizeBytes, sha256: partial.sha256 }, 'downloaded; unpacking');
    await lock.hold();
    await onDisk(folder, async () => {
      await rm(unpacked, { recursive: true, force: true });
      await mkdir(unpacked);
    });
    const { files, bytes } = await unpack(partial.path, unpacked, { maxBytes: pull.maxBytes, mayWrite: () => lock.hold() }, signal);
    await lock.hold();
    const entries = await onDisk(folder, () => putInPlace(unpacked, folder, pull.sha256));
    log.info({ path: folder, entries, files, bytes, sha256: partial.sha256 }, 'pulled and unpacked');
  } finally {
    if (!signal.aborted) {
      if (!isWanted || partial.sizeBytes === 0) await partial.discard().catch(() => {});
      // By now it may be the folder of a pull that has taken over.
      const isOurs = await lock.hold().then(
        () => true,
        () => false,
      );
      if (isOurs) await rm(unpacked, { recursive: true, force: true }).catch(() => {});
    }
    await partial.close();
  }
}

async function putInPlace(unpacked: string, folder: string, sha256: string | null): Promise<string[]> {
  const entries = (await readdir(unpacked)).sort();
  const reserved = entries.find((name) => name.startsWith(PREFIX));
  if (reserved !== undefined) throw refused(`the archive has an entry whose name is reserved: ${JSON.stringify(reserved)}`);
  const others = (await readNote(folder)).filter(
    (placed) => placed.sha256 !== sha256 && !placed.entries.some((name) => entries.includes(name)),
  );
  // Until the last line the folder holds a mixture, of which nothing may be said.
  await writeNote(folder, others);
  for (const name of entries) {
    await rm(join(folder, name), { recursive: true, force: true });
    await rename(join(unpacked, name), join(folder, name));
  }
  await syncFolder(folder);
  if (sha256 !== null) await writeNote(folder, [...others, { sha256, entries }]);
  return entries;
}

/** Empty where there is none, or none that we can read: the archive is then pulled once more. */
async function readNote(folder: string): Promise<Placed[]> {
  try {
    const note = JSON.parse(await readFile(join(folder, `${PREFIX}.json`), 'utf8')) as unknown;
    return Array.isArray(note) ? note.filter(isPlaced) : [];
  } catch {
    return [];
  }
}

function isPlaced(value: unknown): value is Placed {
  const { sha256, entries } = (value ?? {}) as Partial<Record<keyof Placed, unknown>>;
  return typeof sha256 === 'string' && Array.isArray(entries) && entries.every((name) => typeof name === 'string');
}

async function writeNote(folder: string, placed: readonly Placed[]): Promise<void> {
  const path = join(folder, `${PREFIX}.json`);
  const file = await open(`${path}.new`, 'w');
  try {
    await file.writeFile(`${JSON.stringify(placed)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncFolder(folder);
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function onDisk<T>(folder: string, change: () => Promise<T>): Promise<T> {
  return change().catch((thrown: unknown) => Promise.reject(targetFault(`${folder} cannot be changed`, thrown)));
}
