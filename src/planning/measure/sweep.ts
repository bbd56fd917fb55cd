/** Searches the settings with which a server sustains the highest rate within a latency goal. */
import { OptionsError } from '../../config/load.js';
import type { PlanCandidate } from '../plan/plan.js';
import { settingsName, type ServerSettings } from '../server-settings.js';
import { longer, secondsFor } from './closed-loop-seconds.js';
import type { LoadResult } from '../load/load-generator.js';
import { findMaxRate, inFlightFor, type FoundRate, type RateSearch, type SearchProgress } from './max-rate.js';
import { ServerDied } from './measured-server.js';
import type { TriedServer } from './stored-server.js';
import { startingPoints, stepsFrom, widestStride, type SweepSpace } from './sweep-space.js';
import type { LatencyGoal, Trial, TrialLoad } from './trial.js';

export interface SweepOptions {
  readonly space: SweepSpace;
  /** Where it begins: what the server does by itself. */
  readonly first: ServerSettings;
  readonly goal: LatencyGoal;
  readonly rowsPerRequest: number;
  readonly arrivals: string;
  readonly seed: number;
  /** Seconds by `clock`, starts of servers included. */
  readonly budgetS: number;
  readonly start: (settings: ServerSettings) => Promise<TriedServer>;
  readonly progress: (progress: SearchProgress) => void;
  /** Seconds that only rise. */
  readonly clock?: () => number;
}

export interface SweepResult {
  /** In the order in which they were tried. */
  readonly candidates: readonly PlanCandidate[];
  /** null: none meets the goal, or it ended too early. */
  readonly best: FoundRate | null;
  /** What was found of the best two, the best first, and of every other one that was searched to its end. */
  readonly found: readonly FoundRate[];
  /** All of them. */
  readonly trials: readonly Trial[];
  /** From the client; null = not measured. */
  readonly loneRequestMs: number | null;
  readonly notes: readonly string[];
  /** What ended it early: the reason of an abort, a full disk; null = it went to its end. Everything else is what there was by then. */
  readonly failure: unknown;
}

/** Of the budget: for trying settings. The rest confirms the best two. */
const TRYING_SHARE = 0.6;
/** Of the budget, that the trial of one setting takes at most. */
const ONE_SHARE = 1 / 25;
const LEAST_ONE_S = 6;
/** Within which the rate of a setting is good enough to be compared. */
const PRECISION = 0.08;
/** A setting that is behind by so little goes on: the comparison is no better. */
const TIE = 0.03;
/** Of a closed loop whose requests are fast. */
const SHORT_S = 1;
/** Of the time that is left, that a closed loop may take in which nothing was answered before. */
const LONGER_SHARE = 0.25;
/** A closed loop may fall short of what an open one sustains by so much. */
const CLOSED_SLACK = 1.15;
/** Of a closed loop, where nothing is known yet. */
const FIRST_SHARE = 0.7;
/** Seeds of the last, long searches differ from those before. */
const CONFIRMING_SEED = 1000;

/**
 * Starts from settings far from each other, then goes to better neighbours, in wide steps before narrow ones; each is tried by a short search
 * that begins at the best rate so far and ends as soon as it is clearly behind. What remains of the budget goes to the best two. A server
 * that dies ends its own settings only. Throws `OptionsError` when a lone request takes longer than the goal.
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  return new Sweep(options).run();
}

type Measure = (load: TrialLoad) => Promise<Trial>;

interface Tried {
  readonly settings: ServerSettings;
  /** null: nothing yet, or the server died. */
  found: FoundRate | null;
  /** Requests per second of a closed loop: nearly what the server does at most. */
  closedRate: number;
  trials: number;
  /** Its server did not start, ended or broke. */
  hasDied: boolean;
  /** One of the two that were looked at for long: whatever short trials say of the others, they do not come before it. */
  isFinal: boolean;
}

class Sweep {
  readonly #options: SweepOptions;
  readonly #clock: () => number;
  readonly #startS: number;
  readonly #tried = new Map<string, Tried>();
  readonly #trials: Trial[] = [];
  readonly #notes: string[] = [];
  #loneRequestMs: number | null = null;

  constructor(options: SweepOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now() / 1000);
    this.#startS = this.#clock();
  }

  async run(): Promise<SweepResult> {
    let failure: unknown = null;
    try {
      await this.#tryAll();
      await this.#confirmBest();
    } catch (thrown) {
      if (thrown instanceof OptionsError) throw thrown;
      failure = thrown;
    }
    const ranking = this.#ranking();
    const best = ranking[0]?.found ?? null;
    const notes = [...this.#notes, ...(best?.notes ?? [])];
    const candidates = [...this.#tried.values()].map(candidateOf);
    const found = ranking.flatMap((tried) => (tried.found === null || tried.found.isGivenUp ? [] : [tried.found]));
    return { candidates, best, found, trials: this.#trials, loneRequestMs: this.#loneRequestMs, notes, failure };
  }

  async #tryAll(): Promise<void> {
    const { space, first } = this.#options;
    for (const settings of startingPoints(space, first)) await this.#try(settings);
    for (let stride = widestStride(space); stride >= 1;) {
      const best = this.#ranking()[0];
      if (best === undefined) return;
      let isBetter = false;
      for (const settings of stepsFrom(space, best.settings, stride)) {
        if (!this.#hasTime()) return;
        await this.#try(settings);
        // From there on, rather than all around a place that is left anyway.
        isBetter = this.#ranking()[0] !== best;
        if (isBetter) break;
      }
      if (!isBetter) stride = Math.floor(stride / 2);
    }
  }

  async #try(settings: ServerSettings): Promise<void> {
    const name = settingsName(settings);
    if (this.#tried.has(name) || (this.#tried.size > 0 && !this.#hasTime())) return;
    const tried: Tried = { settings, found: null, closedRate: 0, trials: 0, hasDied: false, isFinal: false };
    this.#tried.set(name, tried);
    await this.#withServer(tried, async (measure) => {
      const best = this.#ranking()[0];
      const begin = this.#clock();
      tried.closedRate = (await this.#measureClosed(measure, this.#closedLoop(settings))).rate_answered;
      const least = (best?.found?.rate.value ?? 0) * (1 - TIE);
      if (tried.closedRate * CLOSED_SLACK < least) {
        tried.found = behind(settings, tried.closedRate);
        return;
      }
      // What an open loop sustains of a closed one differs little between settings.
      const share = best === undefined ? FIRST_SHARE : (best.found?.rate.value ?? 0) / best.closedRate;
      const budgetS = this.#secondsForOne() - (this.#clock() - begin);
      tried.found = await this.#search(tried, measure, {
        budgetS,
        precision: PRECISION,
        firstGuess: tried.closedRate * share,
        giveUpBelow: least,
      });
    });
  }

  async #confirmBest(): Promise<void> {
    const [best, second] = this.#ranking();
    if (best === undefined) return;
    const seed = this.#options.seed + CONFIRMING_SEED;
    const left = this.#secondsLeft();
    const long = async (tried: Tried, budgetS: number, giveUpBelow: number): Promise<void> => {
      await this.#withServer(tried, async (measure) => {
        const firstGuess = tried.found?.rate.value ?? null;
        tried.found = await this.#search(tried, measure, { budgetS, seed, firstGuess, giveUpBelow });
      });
      tried.isFinal = true;
    };
    await long(best, second === undefined ? left : left / 2, 0);
    if (second !== undefined) await long(second, this.#secondsLeft(), best.found?.rate.value ?? 0);
  }

  /** Settings under which a server dies are worth nothing, whatever was found before. */
  async #withServer(tried: Tried, work: (measure: Measure) => Promise<void>): Promise<void> {
    let server: TriedServer | undefined;
    try {
      this.#tell(`starting a server with ${settingsName(tried.settings)}`);
      server = await this.#options.start(tried.settings);
      const running = server;
      const measure = async (load: TrialLoad): Promise<Trial> => {
        const trial = await running.measure(load);
        tried.trials++;
        this.#trials.push(trial);
        return trial;
      };
      if (this.#loneRequestMs === null) await this.#measureLoneRequest(measure);
      await work(measure);
    } catch (thrown) {
      const isTooSlow = thrown instanceof OptionsError && this.#hasUntriedPrecision();
      if (!(thrown instanceof ServerDied) && !isTooSlow) throw thrown;
      this.#notes.push(`${settingsName(tried.settings)}: ${thrown.message}`);
      tried.found = null;
      tried.hasDied = !isTooSlow;
      // That of another precision is to be known.
      if (isTooSlow) this.#loneRequestMs = null;
    } finally {
      await server?.stop();
    }
  }

  #search(
    { settings }: Tried,
    measure: Measure,
    how: Partial<RateSearch> & Pick<RateSearch, 'budgetS' | 'firstGuess'>,
  ): Promise<FoundRate> {
    const { goal, rowsPerRequest, arrivals, seed } = this.#options;
    const progress = ({ text }: SearchProgress): void => this.#tell(`${settingsName(settings)}: ${text}`);
    return findMaxRate({ settings, goal, rowsPerRequest, arrivals, seed, measure, clock: this.#clock, progress, ...how });
  }

  #closedLoop({ lanes, maxBatchSize }: ServerSettings): TrialLoad {
    const { goal, rowsPerRequest, arrivals, seed } = this.#options;
    const inFlight = inFlightFor(lanes, maxBatchSize, rowsPerRequest);
    const seconds = secondsFor(SHORT_S, this.#loneRequestMs);
    return { rate: null, inFlight, arrivals, seconds, rowsPerRequest, seed, goalMs: goal.latencyMs };
  }

  /** No request counted is nothing measured: each takes longer than the loop. */
  async #measureClosed(measure: Measure, load: TrialLoad): Promise<LoadResult> {
    const { result } = await measure(load);
    const seconds = longer(load.seconds);
    if (result.counts.requests > 0 || seconds > this.#secondsLeft() * LONGER_SHARE) return result;
    return this.#measureClosed(measure, { ...load, seconds });
  }

  /** Throws `OptionsError` when it takes longer than the goal. */
  async #measureLoneRequest(measure: Measure): Promise<void> {
    const { goal, rowsPerRequest, arrivals, seed } = this.#options;
    const below = `the goal of ${goal.latencyMs} ms is below what a lone request takes`;
    for (let seconds = SHORT_S; ; seconds = longer(seconds)) {
      const { result } = await measure({
        ...{ rate: null, inFlight: 1, arrivals, seconds, rowsPerRequest, seed, goalMs: goal.latencyMs },
      });
      const lone = result.latency_ms.p50.value;
      if (lone !== null) {
        this.#loneRequestMs = lone;
        if (lone > goal.latencyMs) throw new OptionsError([`${below} (${shown(lone)} ms)`]);
        return;
      }
      if (result.counts.requests > 0) break;
      // Not one was begun after another: each takes longer than this.
      if (seconds * 1000 >= goal.latencyMs) throw new OptionsError([`${below} (more than ${seconds} s)`]);
      if (longer(seconds) > this.#secondsLeft()) break;
    }
    const note = 'lone requests got no right answer, so it is not known whether the goal can be met at all';
    if (!this.#notes.includes(note)) this.#notes.push(note);
  }

  /** Those that meet the goal at some rate, the best first. */
  #ranking(): readonly Tried[] {
    const rateOf = ({ found }: Tried): number => (found === null || found.isGivenUp ? 0 : found.rate.value);
    return [...this.#tried.values()]
      .filter((tried) => rateOf(tried) > 0)
      .sort((a, b) => Number(b.isFinal) - Number(a.isFinal) || rateOf(b) - rateOf(a));
  }

  #hasUntriedPrecision(): boolean {
    const tried = [...this.#tried.values()].map(({ settings }) => settings.precision);
    return this.#options.space.precisions.some((precision) => !tried.includes(precision));
  }

  #secondsForOne(): number {
    return Math.max(LEAST_ONE_S, this.#options.budgetS * ONE_SHARE);
  }

  #secondsLeft(): number {
    return Math.max(0, this.#options.budgetS - (this.#clock() - this.#startS));
  }

  #hasTime(): boolean {
    const { budgetS } = this.#options;
    return budgetS - this.#secondsLeft() + this.#secondsForOne() / 2 <= budgetS * TRYING_SHARE;
  }

  #tell(text: string): void {
    const secondsLeft = this.#secondsLeft();
    const share = 1 - secondsLeft / this.#options.budgetS;
    this.#options.progress({ done: this.#trials.length, share, secondsLeft, text });
  }
}

function candidateOf({ settings, found, trials, hasDied }: Tried): PlanCandidate {
  const state = hasDied ? 'died' : found === null ? 'unfinished' : found.isGivenUp ? 'given-up' : 'finished';
  return { settings, rate: found?.rate ?? { value: 0, low: 0, high: 0 }, trials, state };
}

function behind(settings: ServerSettings, atMost: number): FoundRate {
  return {
    settings,
    rate: { value: atMost, low: 0, high: atMost * CLOSED_SLACK },
    isConfirmed: false,
    trials: [],
    isGivenUp: true,
    notes: [],
  };
}

function shown(milliseconds: number): string {
  return String(Number(milliseconds.toPrecision(3)));
}
