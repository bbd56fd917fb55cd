/** Fills a partial file from a source, in as many attempts as it takes and is allowed, and checks the whole. */
import { setTimeout as sleep } from 'node:timers/promises';
import { dirname } from 'node:path';
import type { Logger } from '../telemetry/log.js';
import { requireRoom } from './disk.js';
import { RangeNotUsable } from './https-source.js';
import type { PartialFile } from './partial-file.js';
import { startProgress } from './progress.js';
import { backOffMs, mayPass } from './retry.js';
import { refused, tryAgain, type OpenedSource, type Source } from './source.js';
import { StallWatch } from './stall-watch.js';

export interface DownloadOptions {
  /** 64 hexadecimal digits, small letters; null = whatever comes is right. */
  readonly sha256: string | null;
  /** 0 = no limit. */
  readonly maxBytes: number;
  /** At least 1. */
  readonly attempts: number;
  /** 0 = never. */
  readonly stallTimeoutMs: number;
}

/**
 * Resolves when `partial` holds the whole, checked. Rejects with ERR_PULL_SOURCE when the attempts are used up (what has come stays), with
 * ERR_PULL_REFUSED for an answer that stays wrong, ERR_PULL_TARGET for the disk, or the reason of `signal`. Wrong bytes are discarded.
 */
export async function download(
  source: Source,
  partial: PartialFile,
  options: DownloadOptions,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  return new Download(source, partial, options, log, signal).run();
}

class Download {
  readonly #source: Source;
  readonly #partial: PartialFile;
  readonly #options: DownloadOptions;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  #totalBytes: number | null = null;
  /** Some bytes are of another answer than the last: the source may have changed in between, or a disk may have lost them. */
  #isMended: boolean;
  #hasBegunAnew = false;

  constructor(source: Source, partial: PartialFile, options: DownloadOptions, log: Logger, signal: AbortSignal) {
    [this.#source, this.#partial, this.#options, this.#log, this.#signal] = [source, partial, options, log, signal];
    this.#isMended = partial.sizeBytes > 0;
  }

  async run(): Promise<void> {
    if (this.#isMended) this.#log.info({ bytes: this.#partial.sizeBytes }, 'going on where an earlier pull stopped');
    const stopProgress = startProgress(this.#log, () => ({ bytes: this.#partial.sizeBytes, totalBytes: this.#totalBytes }));
    try {
      do await this.#fetch();
      while (!(await this.#isRight()));
    } finally {
      stopProgress();
    }
  }

  /** All bytes, or a failure that ends the pull. */
  async #fetch(): Promise<void> {
    // A process that was killed before it gave the file its name. Only a checksum can tell that the source still has the same.
    if (this.#partial.isComplete && this.#options.sha256 !== null) return;
    for (let failed = 1; ; failed++) {
      try {
        return await this.#attempt();
      } catch (thrown) {
        this.#signal.throwIfAborted();
        if (!mayPass(thrown)) throw thrown;
        const { attempts } = this.#options;
        if (failed >= attempts) throw tryAgain(`${thrown.message}; given up after ${failed} of ${attempts} attempts`, { cause: thrown });
        if (thrown instanceof RangeNotUsable) await this.#partial.restart();
        const delayMs = Math.round(backOffMs(failed, thrown.retryAfterMs, Math.random()));
        const fields = { attempt: failed, attempts, bytes: this.#partial.sizeBytes, retry_in_seconds: delayMs / 1000 };
        this.#log.warn(fields, `${thrown.message}; trying again`);
        await sleep(delayMs, undefined, { signal: this.#signal });
      }
    }
  }

  async #attempt(): Promise<void> {
    const stall = new StallWatch(this.#options.stallTimeoutMs);
    const left = new AbortController();
    const partial = this.#partial;
    try {
      stall.arm();
      const resume = partial.sizeBytes === 0 ? null : { offsetBytes: partial.sizeBytes, validator: partial.validator };
      const opened = await this.#source(resume, AbortSignal.any([this.#signal, stall.signal, left.signal]));
      stall.disarm();
      await this.#begin(opened);
      stall.arm();
      for await (const chunk of opened.body) {
        stall.disarm();
        await this.#requireAllowed(partial.sizeBytes + chunk.length);
        await partial.append(chunk);
        stall.arm();
      }
    } catch (thrown) {
      // What has come is right even if the rest has not.
      if (mayPass(thrown)) await partial.flush();
      if (isDiskFull(thrown)) await partial.discard();
      throw stall.signal.aborted ? (stall.signal.reason as Error) : thrown;
    } finally {
      stall.disarm();
      // A body that nobody reads to its end must not keep its socket or file.
      left.abort();
    }
    await partial.flush();
    if (this.#totalBytes !== null && partial.sizeBytes !== this.#totalBytes) {
      throw tryAgain(`the source ended after ${partial.sizeBytes} of ${this.#totalBytes} bytes`);
    }
  }

  async #begin(opened: OpenedSource): Promise<void> {
    const partial = this.#partial;
    this.#totalBytes = opened.totalBytes;
    this.#isMended = opened.offsetBytes > 0;
    if (opened.offsetBytes === 0) {
      if (partial.sizeBytes > 0)
        this.#log.info({ bytes: partial.sizeBytes }, 'the source cannot go on there, or has changed: beginning anew');
      await partial.restart();
    }
    if (opened.totalBytes !== null) {
      await this.#requireAllowed(opened.totalBytes);
      await requireRoom(dirname(partial.path), opened.totalBytes - opened.offsetBytes);
    }
    await partial.note(opened.validator, opened.totalBytes);
  }

  async #requireAllowed(bytes: number): Promise<void> {
    const { maxBytes } = this.#options;
    if (maxBytes === 0 || bytes <= maxBytes) return;
    await this.#partial.discard();
    throw refused(`the source has ${bytes} bytes or more, and --max-bytes is ${maxBytes}`);
  }

  /** Whether the bytes are those that were asked for; false = they have to be fetched once more. */
  async #isRight(): Promise<boolean> {
    const expected = this.#options.sha256;
    const found = this.#partial.sha256;
    if (expected === null || found === expected) return true;
    if (this.#isMended && !this.#hasBegunAnew) {
      this.#log.warn('the checksum is wrong after a download in several parts: beginning anew');
      this.#hasBegunAnew = true;
      await this.#partial.restart();
      return false;
    }
    await this.#partial.discard();
    throw refused(`the checksum is wrong: expected sha256:${expected}, found sha256:${found}`);
  }
}

function isDiskFull(thrown: unknown): boolean {
  const { cause } = thrown as { cause?: NodeJS.ErrnoException };
  return cause?.code === 'ENOSPC' || cause?.code === 'EDQUOT';
}
