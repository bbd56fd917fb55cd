/** Tells on stderr how far a search is: one line that is rewritten on a terminal, a line now and then in a log. */
import type { SearchProgress } from './max-rate.js';

/** Where there is no terminal. */
const INTERVAL_S = 10;
const BAR_CELLS = 20;
const FALLBACK_COLUMNS = 80;
const ERASE_LINE = '\r\u001b[K';

export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class ProgressBar {
  readonly #stream: ProgressStream;
  readonly #clock: () => number;
  #toldS = -Infinity;
  #isShown = false;

  /** `clock`: seconds that only rise. */
  constructor(stream: ProgressStream, clock = (): number => performance.now() / 1000) {
    this.#stream = stream;
    this.#clock = clock;
  }

  readonly show = (progress: SearchProgress): void => {
    if (this.#stream.isTTY === true) {
      // A line that wraps could not be rewritten.
      const line = lineOf(progress).slice(0, (this.#stream.columns ?? FALLBACK_COLUMNS) - 1);
      this.#stream.write(`${ERASE_LINE}${line}`);
      this.#isShown = true;
    } else if (this.#clock() - this.#toldS >= INTERVAL_S) {
      this.#toldS = this.#clock();
      this.#stream.write(`${lineOf(progress)}\n`);
    }
  };

  /** Clears the line, so that what is written next stands alone; `show` draws it again. */
  clear(): void {
    if (this.#isShown) this.#stream.write(ERASE_LINE);
    this.#isShown = false;
  }
}

function lineOf({ done, share, secondsLeft, text }: SearchProgress): string {
  const cells = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  const bar = '#'.repeat(cells).padEnd(BAR_CELLS, '.');
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${bar}] ${percent} %, ${timeOf(secondsLeft)} left, ${done} trials; ${text}`;
}

function timeOf(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
