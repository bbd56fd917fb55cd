/**
 * The bytes of a download that is not complete: `NAME.partial`, and `NAME.partial.json` that says what they are, so that the next
 * process can go on. Whoever uses one holds the lock of `NAME`. All failures of the disk are ERR_PULL_TARGET.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, targetFault } from './disk.js';

/** Fewer writes, of which each costs a trip to another thread; a process that is killed loses no more than this. */
const FLUSH_BYTES = 1024 * 1024;
const FLUSH_MS = 1000;

/** Whose bytes these are. */
export interface Identity {
  readonly source: string;
  readonly sha256: string | null;
}

interface Note extends Identity {
  readonly validator: string;
  readonly totalBytes: number | null;
}

export class PartialFile {
  readonly path: string;
  readonly #identity: Identity;
  readonly #file: FileHandle;
  /** Before each write: the lock's `hold`. */
  readonly #mayWrite: () => Promise<void>;
  #note: Note | undefined;
  #hash: Hash = createHash('sha256');
  #writtenBytes = 0;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #flushedMs = performance.now();

  private constructor(path: string, identity: Identity, file: FileHandle, mayWrite: () => Promise<void>) {
    [this.path, this.#identity, this.#file, this.#mayWrite] = [path, identity, file, mayWrite];
  }

  /** Takes over what an earlier process left of the same content, and begins with nothing otherwise. */
  static async open(name: string, identity: Identity, mayWrite: () => Promise<void>, signal: AbortSignal): Promise<PartialFile> {
    const path = `${name}.partial`;
    try {
      const partial = new PartialFile(path, identity, await open(path, constants.O_RDWR | constants.O_CREAT), mayWrite);
      const note = await readNote(`${path}.json`);
      if (note !== undefined && isSame(note, identity)) await partial.#takeOver(note, signal);
      else await partial.restart();
      return partial;
    } catch (thrown) {
      signal.throwIfAborted();
      throw targetFault(`${path} cannot be written`, thrown);
    }
  }

  /** With what is still held in memory. */
  get sizeBytes(): number {
    return this.#writtenBytes + this.#heldBytes;
  }

  /** Of the source when these bytes were taken; empty = it gave none, or it is another source of the same content. */
  get validator(): string {
    return this.#note?.source === this.#identity.source ? this.#note.validator : '';
  }

  /** Every byte is here, as far as the source had said how many there are. */
  get isComplete(): boolean {
    return this.#note !== undefined && this.#note.totalBytes === this.sizeBytes;
  }

  /** Hexadecimal, of all bytes so far. */
  get sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Says what the bytes that follow belong to; comes after `restart` when they begin anew. */
  async note(validator: string, totalBytes: number | null): Promise<void> {
    this.#note = { ...this.#identity, validator, totalBytes };
    await this.#do(() => writeFile(`${this.path}.json`, `${JSON.stringify(this.#note)}\n`));
  }

  async append(chunk: Buffer): Promise<void> {
    this.#hash.update(chunk);
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes >= FLUSH_BYTES || performance.now() - this.#flushedMs >= FLUSH_MS) await this.flush();
  }

  async flush(): Promise<void> {
    this.#flushedMs = performance.now();
    while (this.#heldBytes > 0) {
      const held = this.#held;
      const { bytesWritten } = await this.#do(() => this.#file.writev(held, this.#writtenBytes));
      this.#writtenBytes += bytesWritten;
      this.#heldBytes -= bytesWritten;
      this.#held = withoutFirst(held, bytesWritten);
    }
  }

  /** Forgets every byte. */
  async restart(): Promise<void> {
    [this.#held, this.#heldBytes, this.#writtenBytes] = [[], 0, 0];
    this.#hash = createHash('sha256');
    // In this order: a process that is killed in between must not leave a note about other bytes.
    await this.#do(() => rm(`${this.path}.json`, { force: true }));
    await this.#do(() => this.#file.truncate(0));
    this.#note = undefined;
  }

  /** Puts the file, whole and on the disk, in the place of `target`: whoever looks there sees the old one or all of the new one. */
  async moveTo(target: string): Promise<void> {
    await this.flush();
    await this.#do(() => this.#file.sync());
    await this.#do(() => rename(this.path, target));
    await this.#do(() => syncFolder(dirname(target)));
    await this.#do(() => rm(`${this.path}.json`, { force: true }));
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    await this.#do(() => rm(`${this.path}.json`, { force: true }));
    await this.#do(() => rm(this.path, { force: true }));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #takeOver(note: Note, signal: AbortSignal): Promise<void> {
    this.#note = note;
    for await (const chunk of this.#file.createReadStream({ start: 0, autoClose: false, highWaterMark: FLUSH_BYTES })) {
      signal.throwIfAborted();
      this.#hash.update(chunk as Buffer);
      this.#writtenBytes += (chunk as Buffer).length;
    }
    // More than the source has: not what the note is about.
    if (note.totalBytes !== null && this.#writtenBytes > note.totalBytes) await this.restart();
  }

  async #do<T>(change: () => Promise<T>): Promise<T> {
    await this.#mayWrite();
    return change().catch((thrown: unknown) => {
      throw targetFault(`${this.path} cannot be written`, thrown);
    });
  }
}

/** Without a checksum the same name is not the same content: the validator then decides, so there must be one. */
function isSame(note: Note, { source, sha256 }: Identity): boolean {
  return sha256 === null ? note.sha256 === null && note.source === source && note.validator !== '' : note.sha256 === sha256;
}

async function readNote(path: string): Promise<Note | undefined> {
  try {
    const note = JSON.parse(await readFile(path, 'utf8')) as Partial<Record<keyof Note, unknown>> | null;
    const { source, sha256, validator, totalBytes } = note ?? {};
    if (typeof source !== 'string' || typeof validator !== 'string') return undefined;
    if ((sha256 !== null && typeof sha256 !== 'string') || (totalBytes !== null && typeof totalBytes !== 'number')) return undefined;
    return { source, sha256, validator, totalBytes };
  } catch {
    return undefined;
  }
}

function withoutFirst(chunks: readonly Buffer[], bytes: number): Buffer[] {
  const rest: Buffer[] = [];
  for (const chunk of chunks) {
    if (bytes < chunk.length) rest.push(chunk.subarray(bytes));
    bytes = Math.max(0, bytes - chunk.length);
  }
  return rest;
}
