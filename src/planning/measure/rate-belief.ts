/**
 * Where the highest rate that meets a goal may lie, as a distribution over rates: bisection for comparisons that are sometimes wrong
 * (M. Horstein, "Sequential transmission using noiseless feedback", 1963; R. Waeber et al., "Bisection search with noisy responses", 2013).
 * A machine has hiccups, so no single trial may throw away one side of its rate for good.
 */

/** Neighbouring rates of the grid differ by so much. */
const STEP = 0.01;
/** How far the grid goes from the first guess, as a factor. */
const DOWN = 256;
const UP = 8;
/** A trial this far from the highest rate, relatively, comes out right four times in five; with e times the distance, nearly always. */
const BLUR = 0.02;
/** Of all that the first guess says; the rest is spread evenly. */
const TRUST = 0.9;

export class RateBelief {
  /** Logarithms of rates, rising. */
  readonly #grid: readonly number[];
  #weights: number[];

  /** `spread`: how far off the guess may well be, in natural logarithms. */
  constructor(guess: number, spread: number) {
    const lowest = Math.log(guess / DOWN);
    const count = Math.ceil((Math.log(DOWN) + Math.log(UP)) / STEP);
    this.#grid = Array.from({ length: count }, (_, i) => lowest + i * STEP);
    const bell = this.#grid.map((at) => Math.exp(-(((at - Math.log(guess)) / spread) ** 2) / 2));
    const total = bell.reduce((sum, weight) => sum + weight, 0);
    this.#weights = bell.map((weight) => (TRUST * weight) / total + (1 - TRUST) / count);
  }

  /** `doubt`: probability that the trial says the opposite of the truth even far from the highest rate. */
  learn(rate: number, meetsGoal: boolean, doubt: number): void {
    const tried = Math.log(rate);
    const weights = this.#weights.map((weight, i) => {
      const distance = ((this.#grid[i] ?? 0) - tried) / BLUR;
      const above = 1 / (1 + Math.exp(-distance));
      const likely = doubt + (1 - 2 * doubt) * (meetsGoal ? above : 1 - above);
      return weight * likely;
    });
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#weights = weights.map((weight) => weight / total);
  }

  /** The rate below which the highest one lies with this probability. */
  quantile(share: number): number {
    let sum = 0;
    const index = this.#weights.findIndex((weight) => (sum += weight) >= share);
    return Math.exp(this.#grid[index < 0 ? this.#grid.length - 1 : index] ?? 0);
  }

  /** Probability that the highest rate is above `rate`. */
  above(rate: number): number {
    const from = Math.log(rate);
    return this.#weights.reduce((sum, weight, i) => ((this.#grid[i] ?? 0) > from ? sum + weight : sum), 0);
  }

  /** Nothing is left but rates far below any that makes sense. */
  get isHopeless(): boolean {
    return this.quantile(0.5) <= Math.exp((this.#grid[0] ?? 0) + Math.log(4));
  }
}
