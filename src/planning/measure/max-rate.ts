/** The highest rate of an open loop that meets a latency goal, found by trials. */
import type { ServerSettings } from '../server-settings.js';
import { allowedShare, fewestRequests, mostOver, requestsNeeded } from './early-stopping.js';
import { RateBelief } from './rate-belief.js';
import { dispersionAmong, isWithin, rateBounds, tallyOf, verdictOf } from './rate-evidence.js';
import type { LatencyGoal, MaxRate, Trial, TrialLoad } from './trial.js';

export interface SearchProgress {
  /** Trials so far. */
  readonly done: number;
  /** Of the time, 0 to 1. */
  readonly share: number;
  readonly secondsLeft: number;
  /** What goes on now. */
  readonly text: string;
}

export interface RateSearch {
  readonly settings: ServerSettings;
  readonly goal: LatencyGoal;
  readonly rowsPerRequest: number;
  /** As the generator takes them. */
  readonly arrivals: string;
  /** Of the first trial; each further one counts on. */
  readonly seed: number;
  /** Seconds by `clock`. At least one trial is made. */
  readonly budgetS: number;
  /** Requests per second; null = a closed loop says what the server does at most. */
  readonly firstGuess: number | null;
  readonly measure: (load: TrialLoad) => Promise<Trial>;
  readonly progress: (progress: SearchProgress) => void;
  /** The search ends once the highest rate is nearly certainly below this; 0 = never. */
  readonly giveUpBelow?: number;
  /** The search ends, without confirming anything, once the highest rate is known within this share of itself. */
  readonly precision?: number;
  /** Seconds that only rise. */
  readonly clock?: () => number;
}

export interface FoundRate extends MaxRate {
  /** It is nearly certainly below `giveUpBelow`. */
  readonly isGivenUp: boolean;
  /** What a reader of the figures must know, one sentence each. */
  readonly notes: readonly string[];
}

/** Requests that miss the goal in a trial at the highest rate, so that chance matters little. */
const OVER_IN_TRIAL = 10;
const LEAST_TRIAL_S = 1;
/** A trial is long enough for so many requests; one with fewer than half of them teaches nothing, and is made longer. */
const LEAST_REQUESTS = 10;
/** A trial takes at most this share of the budget, unless it takes longer for the requests that it needs at least. */
const TRIALS_IN_BUDGET = 12;
const FEW_REQUESTS_SHARE = 1 / 3;
/** How long a closed loop lasts at least, as a multiple of the goal: only what begins after the first quarter counts. */
const GOALS_IN_CLOSED_LOOP = 4;
/** Of the budget, for the search; the rest is for confirming what it found. */
const SEARCH_SHARE = 0.6;
const LEAST_SEARCH_SHARE = 0.3;
/** Trials that confirm are this many times as long as one without a single miss needs to be; there is time for so many of them. */
const TELLING = 1.5;
/** A rate that is not known within this factor is nothing to confirm yet. */
const VAGUE = 1.2;
const CONFIRMING_TRIALS = 2;
/** Runs of one rate in which the generator itself was late and the goal was missed. */
const REFUSED_RUNS = 3;
/** The chance that a trial is plainly wrong, by how clear it was. */
const DOUBT = { clear: 0.03, open: 0.15, refused: 0.15 } as const;
/** How far off a first guess may be: by what a neighbour does, by a closed loop. */
const SPREAD = { given: 0.3, closed: 0.6 } as const;
/** Of what a closed loop has done: where the search begins. */
const OF_CLOSED_LOOP = 0.7;
const MOST_IN_FLIGHT = 64;
const SURELY = 0.97;
/** Below the rate at which just the allowed share misses the goal, that share falls with about this power of the rate. */
const STEEPNESS = 10;
/** A rate is not confirmed below the one at which this share of what is allowed misses the goal. */
const LEAST_SHADE = 0.1;
/** A rate that could not be confirmed is lowered by this share. */
const STEP_DOWN = 0.04;

/**
 * First trials of seconds, each at the rate where the answer is most in doubt; then longer ones at what they found, lower by what early
 * stopping asks of a run of that length, and lower again until one is confirmed. `rate.value` is the highest that was confirmed, or where
 * time was too short for that, the middle of what is likely; `low` is the highest rate that is known to meet the goal and `high` the
 * lowest that is known to miss it (rate-evidence.ts).
 *
 * A run that the generator refused, because it was late itself, counts when it meets the goal all the same. Otherwise it is repeated, up
 * to 3 runs in all while there is time; then the rate cannot be measured here: the search goes on below it, a note says so, and it is no
 * evidence against the server. Where nothing better is known, `high` is such a rate.
 */
export async function findMaxRate(search: RateSearch): Promise<FoundRate> {
  return new Search(search).run();
}

interface Outcome {
  readonly value: number;
  readonly belief: RateBelief | null;
  readonly isConfirmed: boolean;
  readonly isGivenUp: boolean;
}

/** Requests of a closed loop that keep every lane busy: while one batch runs the next one waits. */
export function inFlightFor(lanes: number, maxBatchSize: number, rowsPerRequest: number): number {
  const wanted = Math.ceil((2 * lanes * Math.max(1, maxBatchSize)) / rowsPerRequest);
  return Math.min(MOST_IN_FLIGHT, Math.max(2, wanted));
}

/**
 * By `measure`, as long as its requests need to be counted: several goals long, and while none is counted, twice as long again if
 * `hasTimeFor` says so. At most a quarter of `budgetS` long at first. When nothing was counted all the same, nothing was measured: that is
 * no rate of 0.
 */
export async function measureClosedLoop(
  goal: LatencyGoal,
  budgetS: number,
  measure: (seconds: number) => Promise<Trial>,
  hasTimeFor: (seconds: number) => boolean,
): Promise<Trial> {
  const wanted = Math.min(budgetS / 4, (GOALS_IN_CLOSED_LOOP * goal.latencyMs) / 1000);
  for (let seconds = Math.max(LEAST_TRIAL_S, wanted); ; seconds *= 2) {
    const trial = await measure(seconds);
    if (trial.result.counts.requests > 0 || !hasTimeFor(2 * seconds)) return trial;
  }
}

class Search {
  readonly #search: RateSearch;
  readonly #clock: () => number;
  readonly #startS: number;
  readonly #trials: Trial[] = [];
  #unmeasurable = Infinity;

  constructor(search: RateSearch) {
    this.#search = search;
    this.#clock = search.clock ?? (() => performance.now() / 1000);
    this.#startS = this.#clock();
  }

  async run(): Promise<FoundRate> {
    const { firstGuess, giveUpBelow = 0, precision } = this.#search;
    const guess = firstGuess ?? (await this.#closedLoopRate()) * OF_CLOSED_LOOP;
    if (guess <= 0) return this.#found({ value: 0, belief: null, isConfirmed: false, isGivenUp: false });
    const belief = new RateBelief(guess, firstGuess === null ? SPREAD.closed : SPREAD.given);
    const width = precision ?? 0.04;
    for (let isFirst = true; ; isFirst = false) {
      const rate = rounded(belief.quantile(0.5));
      const share = precision === undefined ? this.#searchShare(belief) : 1;
      if (!isFirst && !this.#hasTimeFor(this.#secondsAt(rate), share)) break;
      await this.#learnAt(belief, rate, this.#secondsAt(rate), share);
      if (belief.isHopeless) return this.#found({ value: 0, belief, isConfirmed: false, isGivenUp: giveUpBelow > 0 });
      if (giveUpBelow > 0 && 1 - belief.above(giveUpBelow) > SURELY) {
        return this.#found({ value: belief.quantile(0.5), belief, isConfirmed: false, isGivenUp: true });
      }
      if (belief.quantile(0.95) / belief.quantile(0.05) < 1 + width) break;
    }
    const confirmed = precision === undefined ? await this.#confirm(belief) : null;
    return this.#found({ value: confirmed ?? belief.quantile(0.5), belief, isConfirmed: confirmed !== null, isGivenUp: false });
  }

  /** What the server does at most, roughly: 0 = it answers nothing. */
  async #closedLoopRate(): Promise<number> {
    const { settings, goal, budgetS, rowsPerRequest } = this.#search;
    const inFlight = inFlightFor(settings.lanes, settings.maxBatchSize, rowsPerRequest);
    const measure = (seconds: number): Promise<Trial> => this.#trial({ rate: null, inFlight }, seconds);
    const { load, result } = await measureClosedLoop(goal, budgetS, measure, (seconds) => this.#hasTimeFor(seconds, SEARCH_SHARE));
    // Not even the first requests ended in time for others to begin.
    return result.counts.requests === 0 ? inFlight / load.seconds : result.rate_answered;
  }

  /** `share`: of the budget, within which runs are repeated. */
  async #learnAt(belief: RateBelief, rate: number, seconds: number, share: number): Promise<void> {
    const { goal } = this.#search;
    for (let run = 1; ; run++) {
      const trial = await this.#trial({ rate, inFlight: null }, seconds);
      const tally = tallyOf(trial.result, goal);
      if (tally.requests < LEAST_REQUESTS / 2) {
        if (!this.#hasTimeFor(2 * seconds, share)) return;
        return this.#learnAt(belief, rate, 2 * seconds, share);
      }
      const meets = isWithin(tally, goal.percentile);
      const isRefused = trial.result.refused !== null;
      if (isRefused && !meets && run < REFUSED_RUNS && this.#hasTimeFor(2 * seconds, share)) continue;
      if (isRefused && !meets) this.#unmeasurable = Math.min(this.#unmeasurable, rate);
      const clarity = verdictOf(tally, goal.percentile, dispersionAmong(this.#trials, goal)(rate)) === 'open' ? 'open' : 'clear';
      belief.learn(rate, meets, DOUBT[isRefused && !meets ? 'refused' : clarity]);
      return;
    }
  }

  /** The highest rate that was confirmed; null = none within the time. */
  async #confirm(belief: RateBelief): Promise<number | null> {
    const { goal, budgetS } = this.#search;
    const found = belief.quantile(0.5);
    const left = budgetS - this.#elapsedS();
    // Time for three: what passes tells how much higher one may try, what fails is tried lower.
    const enough = requestsNeeded(goal.percentile) / found;
    const telling = Math.min(left / 1.5, this.#tellingSeconds(found));
    const seconds = Math.ceil(Math.max(this.#secondsAt(found), telling, Math.min(stepOf(left / 4, budgetS), enough)));
    const effective = Math.floor((seconds * found) / dispersionAmong(this.#trials, goal)(found));
    const most = mostOver(effective, goal.percentile) ?? 0;
    const shaded = Math.max(LEAST_SHADE, most / Math.max(1, effective * allowedShare(goal.percentile))) ** (1 / STEEPNESS);
    let rate = rounded(found * shaded);
    let confirmed: number | null = null;
    let lowestFailed = Infinity;
    const tried: number[] = [];
    while (this.#hasTimeFor(seconds, 1)) {
      await this.#learnAt(belief, rate, seconds, 1);
      // Of all trials so far: one that shows larger clusters of misses takes back what an earlier one seemed to show.
      const { low } = rateBounds(this.#trials, goal);
      tried.push(rate);
      const held = Math.max(...tried.filter((one) => one <= low));
      confirmed = held > 0 ? held : null;
      if (low >= rate) {
        const next = Math.min(lowestFailed, Math.max(belief.quantile(0.5), rate * (1 + STEP_DOWN)));
        if (next / rate < 1 + STEP_DOWN / 2) break;
        rate = rounded(Math.sqrt(rate * next));
      } else {
        lowestFailed = Math.min(lowestFailed, rate);
        rate = confirmed === null ? rounded(rate * (1 - STEP_DOWN)) : rounded(Math.sqrt(rate * confirmed));
        if (confirmed !== null && rate / confirmed < 1 + STEP_DOWN / 4) break;
      }
    }
    return confirmed;
  }

  #found({ value, belief, isConfirmed, isGivenUp }: Outcome): FoundRate {
    const { settings, goal } = this.#search;
    const bounds = rateBounds(this.#trials, goal);
    const tried = this.#trials.flatMap(({ load }) => (load.rate === null ? [] : [load.rate]));
    const unknown = Number.isFinite(this.#unmeasurable) ? this.#unmeasurable : Math.max(0, ...tried);
    // One bad second proves a miss at its rate, but hardly one of the server when others there went well.
    const likely = value === 0 ? 0 : (belief?.quantile(SURELY) ?? 0);
    const low = isConfirmed ? Math.min(bounds.low, value) : bounds.low;
    const high = Math.max(low, bounds.high ?? unknown, likely);
    const rate = { value: Math.min(Math.max(value, low), high), low, high };
    return { settings, rate, isConfirmed, trials: this.#trials, isGivenUp, notes: this.#notes(bounds.high) };
  }

  #notes(high: number | null): readonly string[] {
    if (high !== null || !Number.isFinite(this.#unmeasurable)) return [];
    const rate = this.#unmeasurable;
    return [`from ${rate} requests per second on the load generator was late itself: the server may do more than could be measured here`];
  }

  #trial(loop: Pick<TrialLoad, 'rate' | 'inFlight'>, seconds: number): Promise<Trial> {
    const { goal, arrivals, rowsPerRequest, seed, budgetS, measure, progress } = this.#search;
    const elapsed = this.#elapsedS();
    const text = loop.rate === null ? `${loop.inFlight} requests in flight` : `${loop.rate} requests per second`;
    const done = this.#trials.length;
    progress({ done, share: Math.min(1, elapsed / budgetS), secondsLeft: Math.max(0, budgetS - elapsed), text });
    const trial = measure({ ...loop, arrivals, seconds, rowsPerRequest, seed: seed + done, goalMs: goal.latencyMs });
    return trial.then((result) => {
      this.#trials.push(result);
      return result;
    });
  }

  /** Seconds in which enough requests are sent to tell, in halves. */
  #secondsAt(rate: number): number {
    const { goal, budgetS } = this.#search;
    const wanted = OVER_IN_TRIAL / allowedShare(goal.percentile) / rate;
    const least = Math.max(LEAST_TRIAL_S, Math.min(LEAST_REQUESTS / rate, budgetS * FEW_REQUESTS_SHARE));
    const most = Math.max(least, budgetS / TRIALS_IN_BUDGET);
    return Math.ceil(2 * Math.min(most, Math.max(least, wanted))) / 2;
  }

  /** Seconds in which enough requests are sent to prove that a rate meets the goal, misses as clustered as they are. */
  #tellingSeconds(rate: number): number {
    const { goal } = this.#search;
    return (TELLING * fewestRequests(goal.percentile) * dispersionAmong(this.#trials, goal)(rate)) / rate;
  }

  /** Of the budget; what it takes to confirm is left, once it is known roughly where. */
  #searchShare(belief: RateBelief): number {
    if (belief.quantile(0.95) / belief.quantile(0.05) > VAGUE) return SEARCH_SHARE;
    const toConfirm = (CONFIRMING_TRIALS * 1.25 * this.#tellingSeconds(belief.quantile(0.5))) / this.#search.budgetS;
    return Math.min(SEARCH_SHARE, Math.max(LEAST_SEARCH_SHARE, 1 - toConfirm));
  }

  #elapsedS(): number {
    return this.#clock() - this.#startS;
  }

  /** Within this share of the budget; what a trial takes besides its own time is part of it. */
  #hasTimeFor(seconds: number, share: number): boolean {
    return this.#elapsedS() + seconds * 1.25 <= this.#search.budgetS * share;
  }
}

/** The nearest below that is a half, a quarter ... of `whole`: trials of a search that is repeated are as long as before. */
function stepOf(seconds: number, whole: number): number {
  return whole * 2 ** Math.floor(Math.log2(Math.max(seconds, 0.01) / whole));
}

/** Three digits: a search that is repeated with the same results asks for the same rates. */
function rounded(rate: number): number {
  return Number(rate.toPrecision(3));
}
