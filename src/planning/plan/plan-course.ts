/** The measuring of a plan, step by step. Each step leaves in the draft what it found, so that an end at any time loses little. */
import { usableCpus } from '../../config/cpu-limit.js';
import { OptionsError } from '../../config/load.js';
import { asServerError } from '../../errors.js';
import { longer, secondsFor } from '../measure/closed-loop-seconds.js';
import type { SearchProgress } from '../measure/max-rate.js';
import { ServerDied } from '../measure/measured-server.js';
import { withTrials } from '../measure/rate-evidence.js';
import type { TriedServer } from '../measure/stored-server.js';
import { sweepSpace } from '../measure/sweep-space.js';
import { sweep } from '../measure/sweep.js';
import type { TrialLoad } from '../measure/trial.js';
import { runKind, settingsName, type ServerSettings } from '../server-settings.js';
import type { PlanDraft } from './plan-draft.js';
import type { PlanOptions } from './plan-options.js';
import type { OwnSettings, PlanServers } from './plan-servers.js';
import { sentence } from './sentence.js';

export interface Course {
  readonly options: PlanOptions;
  readonly draft: PlanDraft;
  readonly servers: Pick<PlanServers, 'ownSettings' | 'placement' | 'start'>;
  /** Seconds that only rise; a trial from disk counts with what it took once. */
  readonly clock: () => number;
  readonly progress: (progress: SearchProgress) => void;
  /** After each step. */
  readonly save: () => void;
}

/** Of the budget. */
const SWEEP_SHARE = 0.8;
/** Of a closed loop whose requests are fast. */
const RUN_TIME_S = 0.5;
/** Of the highest rate, which the search itself has measured; in an order in which a part of them serves, too. */
const CURVE_SHARES = [0.5, 0.85, 0.25, 1.1, 0.1, 0.7];
/** Seconds of a point, by the time that is left: few choices, so that a plan that goes on asks for what is on disk. */
const POINT_S = [15, 8, 4, 2];
const LEAST_POINT_S = 1;
/** Of the highest rate, which a search that was too short has not confirmed: one that is far from it is soon shown to be met. */
const EASY_SHARE = 0.25;
/** Seconds for that, at most half of what is left, but always the last of them: without a rate that is shown there is no plan. */
const EASY_S = [60, 30, 15, 8, 4];
/** Seconds of a trial of one second: warm-up, statistics. */
const OVERHEAD = 1.5;
/** Rows of a request in the trials for the curve of run times. */
const MOST_ROWS = 64;

/**
 * Throws `OptionsError` when a lone request already takes longer than the goal or no request can be made, `ServerDied` when the model cannot
 * be served, the reason of the servers' stop, and what the disk does.
 */
export async function measureCourse(course: Course): Promise<void> {
  const start = course.clock();
  const { batchSize, precisions } = course.options;
  const own = await course.servers.ownSettings(batchSize, precisions[0]);
  if (precisions.length > 0 && course.servers.placement.kind === 'cpu') {
    throw new OptionsError(['--precisions: the model runs on the CPU, which has one']);
  }
  course.draft.inputShapes = own.inputShapes;
  await search(course, own, start);
  course.save();
  if (course.draft.best?.rate.low === 0) await showARate(course, start);
  await measureRunTimes(course, start);
  await measureCurve(course, start);
}

async function search(course: Course, { settings: first, merges }: OwnSettings, start: number): Promise<void> {
  const { options, draft, servers, clock } = course;
  const { goal, arrivals, seed, batchSize: rowsPerRequest, budgetS, precisions } = options;
  const found = await sweep({
    space: sweepSpace({ maxBatchSize: first.maxBatchSize, merges, rowsPerRequest, cpus: usableCpus(), goal, precisions }),
    ...{ first, goal, rowsPerRequest, arrivals, seed, clock },
    budgetS: SWEEP_SHARE * budgetS,
    start: (settings) => Promise.resolve(servers.start(settings)),
    progress: ({ text }) => show(course, start, text),
  });
  const tried = new Set(found.candidates.map(({ settings }) => settings.precision));
  for (const precision of precisions.filter((one) => !tried.has(one))) draft.note(`The time did not suffice to try ${precision}.`);
  if (!merges && first.maxBatchSize > 1) {
    draft.note('Requests do not share batches: the configuration does not say that they may, or their rows depend on each other.');
  }
  draft.loneRequestMs = found.loneRequestMs;
  draft.isComplete = found.failure === null;
  draft.candidates = found.candidates;
  draft.found = found.found;
  draft.best = found.best;
  for (const note of found.notes) draft.note(sentence(note));
  if (found.failure !== null) throw found.failure instanceof Error ? found.failure : asServerError(found.failure);
  const high = found.best?.rate.high ?? Infinity;
  if (found.found.some(({ rate }) => rate.low > high)) {
    draft.note('The machine did less when the best settings were measured again than before: something else ran on it, or it got hot.');
  }
  if (found.best?.isConfirmed === false) {
    draft.note('The time did not suffice to confirm the rate of one replica: a larger --budget narrows its interval.');
  }
}

/** The load that is asked for, where it is easy: if one server carries it, more need not be known. */
async function showARate(course: Course, start: number): Promise<void> {
  const { options, draft } = course;
  const { best } = draft;
  if (best === null) return;
  const left = secondsLeft(course, start) / 2 / OVERHEAD;
  const seconds = EASY_S.find((length) => length <= left) ?? Math.min(...EASY_S);
  const rate = Number(Math.min(options.rate, EASY_SHARE * best.rate.value).toPrecision(3));
  await measureAll(course, start, best.settings, [pointAt(course, rate, seconds, options.seed)], 1);
  countAllTrials(course);
}

function pointAt({ options }: Course, rate: number, seconds: number, seed: number): TrialLoad {
  const { arrivals, batchSize: rowsPerRequest, goal } = options;
  return { rate, inFlight: null, arrivals, seconds, rowsPerRequest, seed, goalMs: goal.latencyMs };
}

/** By rows, one request at a time, as far as there is time; for every other kind of runs whose rate was found, one row. */
async function measureRunTimes(course: Course, start: number): Promise<void> {
  const { options, draft } = course;
  const { best } = draft;
  if (best === null) return;
  const most = Math.min(best.settings.maxBatchSize, Math.max(MOST_ROWS, options.batchSize));
  const rows: number[] = [];
  for (let size = options.batchSize; size === options.batchSize || size <= most; size *= 2) rows.push(size);
  const others = draft.found.filter(({ settings }) => runKind(settings) !== runKind(best.settings));
  const ofKinds = new Map(others.map(({ settings }) => [runKind(settings), settings]));
  const seconds = secondsFor(RUN_TIME_S, draft.loneRequestMs);
  const lone = (size: number): TrialLoad => ({
    ...{ rate: null, inFlight: 1, arrivals: options.arrivals, seconds, rowsPerRequest: size, seed: options.seed, goalMs: null },
  });
  // Without any, there is no fleet to be planned.
  await measureAll(course, start, best.settings, rows.map(lone), 1);
  for (const settings of ofKinds.values()) await measureAll(course, start, settings, [lone(options.batchSize)]);
}

async function measureCurve(course: Course, start: number): Promise<void> {
  const { options, draft } = course;
  const { best } = draft;
  if (best === null) return;
  const left = secondsLeft(course, start) / CURVE_SHARES.length / OVERHEAD;
  const seconds = POINT_S.find((length) => length <= left) ?? LEAST_POINT_S;
  const loads = CURVE_SHARES.map((share, i) =>
    pointAt(course, Number((share * best.rate.value).toPrecision(3)), seconds, options.seed + i),
  );
  await measureAll(course, start, best.settings, loads);
  countAllTrials(course);
}

/** Later trials say something about the rate of the best settings, too: most of all that lower ones meet the goal. */
function countAllTrials({ options, draft }: Course): void {
  const { best } = draft;
  if (best === null) return;
  const name = settingsName(best.settings);
  const rate = withTrials(
    best.rate,
    draft.trials.filter(({ settings, load }) => settingsName(settings) === name && load.goalMs === options.goal.latencyMs),
    options.goal,
  );
  draft.best = { ...best, rate };
  draft.candidates = draft.candidates.map((candidate) => (settingsName(candidate.settings) === name ? { ...candidate, rate } : candidate));
}

/**
 * As many as there is time for, and at least `least`. A load that the server refuses, or of which it dies, is a note: what was measured before suffices for a plan.
 */
async function measureAll(course: Course, start: number, settings: ServerSettings, loads: readonly TrialLoad[], least = 0): Promise<void> {
  const server = course.servers.start(settings);
  try {
    for (const [i, load] of loads.entries()) {
      const rows = `requests of ${load.rowsPerRequest} rows`;
      const what = load.rate === null ? `${rows}, one at a time` : `${load.rate} requests per second, for the curve`;
      if (i >= least && secondsLeft(course, start) === 0) {
        course.draft.note('The time did not suffice for all of the curve of latency and of run times: a larger --budget does.');
        return;
      }
      show(course, start, what);
      try {
        await measureLongEnough(course, start, server, load);
      } catch (thrown) {
        if (!(thrown instanceof OptionsError) && !(thrown instanceof ServerDied)) throw thrown;
        course.draft.note(sentence(`${what}, could not be measured: ${thrown.message}`));
        if (thrown instanceof ServerDied) return;
      }
    }
  } finally {
    await server.stop();
  }
}

/** A closed loop in which no request was counted says nothing. */
async function measureLongEnough(course: Course, start: number, server: TriedServer, load: TrialLoad): Promise<void> {
  const { result } = await server.measure(load);
  const seconds = longer(load.seconds);
  if (load.rate !== null || result.counts.requests > 0 || seconds > secondsLeft(course, start)) return;
  await measureLongEnough(course, start, server, { ...load, seconds });
}

function secondsLeft({ options, clock }: Course, start: number): number {
  return Math.max(0, options.budgetS - (clock() - start));
}

function show(course: Course, start: number, text: string): void {
  const { options, draft, progress } = course;
  const left = secondsLeft(course, start);
  progress({ done: draft.trials.length, share: 1 - left / options.budgetS, secondsLeft: left, text });
}
