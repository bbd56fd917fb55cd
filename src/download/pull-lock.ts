/**
 * Keeps two pulls out of each other's files, also pods on two nodes that share a volume. Node has no flock, so a lock is a file whose
 * holder writes to it; one that has not changed for a while, by the clock of whoever watches it, belongs to a process that was killed.
 */
import { randomUUID } from 'node:crypto';
import { statSync, unlinkSync } from 'node:fs';
import { link, open, readFile, rename, unlink, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerError } from '../errors.js';
import { targetFault } from './disk.js';

const BEAT_MS = 2000;
/** Milliseconds without a change after which a lock is taken over. */
const STALE_MS = 10_000;
const POLL_MS = 250;

export class PullLock {
  readonly #path: string;
  readonly #id: string;
  readonly #file: FileHandle;
  readonly #inode: number;
  readonly #timer: NodeJS.Timeout;
  readonly #release = (): void => this.release();
  #beats = 0;
  #lastBeatMs = performance.now();

  private constructor(path: string, id: string, file: FileHandle, inode: number, signal: AbortSignal) {
    [this.#path, this.#id, this.#file, this.#inode] = [path, id, file, inode];
    this.#timer = setInterval(() => void this.#beat().catch(() => {}), BEAT_MS);
    this.#timer.unref();
    // The process may end in this very turn.
    signal.addEventListener('abort', this.#release, { once: true });
  }

  /** Waits for another holder, and calls `onWait` once when it has to. `signal` ends the wait, and later gives the lock back. */
  static async acquire(path: string, signal: AbortSignal, onWait: () => void): Promise<PullLock> {
    const id = randomUUID();
    let [seen, seenMs, hasWaited] = ['', performance.now(), false];
    for (;;) {
      signal.throwIfAborted();
      const file = await create(path, id);
      if (file !== undefined) return new PullLock(path, id, file, (await file.stat()).ino, signal);
      const content = await readFile(path, 'utf8').catch(() => undefined);
      if (content === undefined) continue;
      if (content !== seen) [seen, seenMs] = [content, performance.now()];
      if (performance.now() - seenMs >= STALE_MS) {
        await takeAway(path, id, seen);
        continue;
      }
      if (!hasWaited) onWait();
      hasWaited = true;
      await sleep(POLL_MS, undefined, { signal });
    }
  }

  /**
   * To be called before each write. A process that slept longer than others wait (a frozen container) learns here that its files have
   * gone to another. Rejects with ERR_PULL_TARGET.
   */
  async hold(): Promise<void> {
    if (performance.now() - this.#lastBeatMs > STALE_MS / 2) await this.#beat();
  }

  /** May be called again. Takes effect before it returns. */
  release(): void {
    clearInterval(this.#timer);
    void this.#file.close().catch(() => {});
    try {
      if (statSync(this.#path).ino === this.#inode) unlinkSync(this.#path);
    } catch {
      // Gone, or the volume is: nobody is locked out for longer than a stale lock lasts.
    }
  }

  async #beat(): Promise<void> {
    if ((await readFile(this.#path, 'utf8').catch(() => '')).startsWith(this.#id)) {
      await this.#file.write(`${this.#id} ${++this.#beats}\n`, 0);
      this.#lastBeatMs = performance.now();
    } else {
      throw new ServerError('ERR_PULL_TARGET', `another pull has taken over ${this.#path}, because this one stood still`);
    }
  }
}

async function create(path: string, id: string): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, 'wx');
    await file.write(`${id} 0\n`, 0);
    return file;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw targetFault(`${path} cannot be written`, thrown);
  }
}

/** Of several that find a lock stale only one gets it, and one that was renewed meanwhile is put back. */
async function takeAway(path: string, id: string, stale: string): Promise<void> {
  const aside = `${path}.${id}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) !== stale) await link(aside, path);
  } catch {
    // Another was quicker.
  } finally {
    await unlink(aside).catch(() => {});
  }
}
