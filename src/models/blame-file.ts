/**
 * What outlives a process that a model has ended: a file of --model-blame-file. It belongs to one server, and lies where restarts of a container
 * leave it alone. Main thread.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { ServerError } from '../errors.js';
import { BLAME_COUNTS_MS, holdOf, type Blame, type Hold } from './model-holds.js';

/** Who would be to blame if the process ended now. */
export interface Suspicion {
  readonly model: string;
  readonly cause: string;
}

export interface BlameFileOptions {
  readonly path: string;
  readonly log: Readonly<Record<'warn', (fields: object, message: string) => void>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class BlameFile {
  readonly #options: BlameFileOptions;
  /** Of processes before this one. */
  readonly #earlier: readonly Blame[];
  #suspected: Blame | undefined;

  /** Throws ERR_CONFIG_OPTION when the file cannot be written. One that cannot be read is begun anew. */
  constructor(options: BlameFileOptions) {
    this.#options = options;
    const nowMs = options.now();
    this.#earlier = this.#read().filter(({ atMs }) => nowMs - atMs < BLAME_COUNTS_MS);
    try {
      this.#write(this.#earlier);
    } catch (cause) {
      const text = `--model-blame-file: "${options.path}" cannot be written: ${(cause as Error).message}`;
      throw new ServerError('ERR_CONFIG_OPTION', text, { cause });
    }
  }

  /** How long the version (`versionLabel`) must wait; undefined: not at all. */
  holdOf(model: string): Hold | undefined {
    return holdOf(this.#earlier, model, this.#options.now());
  }

  /**
   * To be called at every turn with what is so now. It is written down before the end, because a process that aborts can write nothing, and
   * taken back when the end does not come. Never throws.
   */
  follow(suspicion: Suspicion | undefined): void {
    if (suspicion?.model === this.#suspected?.model && suspicion?.cause === this.#suspected?.cause) return;
    this.#suspected = suspicion && { ...suspicion, atMs: this.#options.now() };
    try {
      this.#write(this.#suspected === undefined ? this.#earlier : [...this.#earlier, this.#suspected]);
    } catch (thrown) {
      const { path, log } = this.#options;
      log.warn({ path, ...suspicion }, `who is to blame cannot be written down: ${(thrown as Error).message}`);
    }
  }

  #read(): readonly Blame[] {
    const { path, log } = this.#options;
    try {
      return readBlames(readFileSync(path, 'utf8'));
    } catch (thrown) {
      const missing = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
      if (!missing) log.warn({ path }, `--model-blame-file cannot be read and is begun anew: ${(thrown as Error).message}`);
      return [];
    }
  }

  /** Whole or not at all. */
  #write(blames: readonly Blame[]): void {
    const { path } = this.#options;
    const entries = blames.map(({ model, cause, atMs }) => ({ model, cause, at: new Date(atMs).toISOString() }));
    writeFileSync(`${path}.partial`, `${JSON.stringify({ blames: entries })}\n`);
    renameSync(`${path}.partial`, path);
  }
}

function readBlames(text: string): readonly Blame[] {
  const { blames } = JSON.parse(text) as { blames?: unknown };
  if (!Array.isArray(blames)) throw new Error('it has no list "blames"');
  return blames.map((entry: unknown, index) => {
    const { model, cause, at } = (entry ?? {}) as Partial<Record<'model' | 'cause' | 'at', unknown>>;
    const atMs = typeof at === 'string' ? Date.parse(at) : NaN;
    if (typeof model !== 'string' || typeof cause !== 'string' || Number.isNaN(atMs)) throw new Error(`blames[${index}] is not one`);
    return { model, cause, atMs };
  });
}
