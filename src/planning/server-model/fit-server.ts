/**
 * From trials to a server that can be simulated.
 *
 * What shares the cores with the lanes (front end, load generator) makes runs longer, the more the higher the rate. It is kept out of the
 * curve and stated as one figure, `contention`, relative to the time of the front end: with it in the curve, a batch size seen only at low
 * rates would come out too fast for high ones, which is the unsafe side. On a machine with cores to spare, or with a GPU, it comes out near 0.
 * Lanes that run at the same time are the other thing that is divided out: how many do is taken as binomial, from the share of the time in
 * which each of them ran. Lanes of a GPU take turns instead (gpu-runs.ts).
 */
import { defaultFrontEndCount } from '../../config/cpu-limit.js';
import { OptionsError } from '../../config/load.js';
import type { Trial } from '../measure/trial.js';
import { runKind } from '../server-settings.js';
import type { FittedServer } from './fitted-server.js';
import { lanesOn, paddedRows } from './gpu-runs.js';
import { IDLE_LANES, laneShare, shareBetweenRuns, timeAside, withoutWaits } from './lane-use.js';
import { fitCurve, robustWeights, timeAt, weightedMedian, type CurvePoint, type MeanRun } from './run-time-curve.js';
import { runTimeSpread } from './run-time-spread.js';

const LEAST_RUNS = 100;
/** Curve, slowdown and contention are fitted in turns; they settle long before. */
const ROUNDS = 40;

/** Seconds a second: what is measured at loads that hardly differ says nothing of contention. */
const LEAST_LOAD_APART = 0.02;

/** A closed loop with so many requests in flight may show what limits it. */
const MANY_IN_FLIGHT = 16;
/** With fewer the beginning and the end of the trial matter. */
const MANY_ANSWERED = 1000;

/** What was measured of one batch size, padded on a GPU, in one trial, with what made it longer than on a machine that does nothing else. */
interface Observation extends MeanRun {
  readonly lanes: number;
  /** Chance of each number of lanes that run while this one does, itself among them; [0] of one. */
  readonly running: readonly number[];
  /** Seconds a second of the front end. */
  readonly frontEndBusy: number;
}

/**
 * `trials` of one model with one kind of runs (CPU threads, precision), among them one of a closed loop with one request in flight: the fixed part of
 * the latency and the spread of run times come from there. Trials that the generator refused are left out. `cpus`: of the server.
 * Throws `OptionsError` for too few data.
 */
export function fitServer(trials: readonly Trial[], cpus: number): FittedServer {
  const usable = trials.filter(({ result }) => result.refused === null);
  const lone = usable.filter(({ load, result }) => load.inFlight === 1 && result.from_send_ms.p50.value !== null);
  requireEnough(usable, lone);

  const threads = defaultFrontEndCount(cpus);
  const perRequestMs = Math.max(loadedFrontEndTime(usable), limitedFrontEndTime(usable, threads));
  const gpus = Math.max(...usable.map((trial) => trial.gpus));
  const withHandOver = 1 + shareBetweenRuns(usable);
  const observations = withoutWaits(usable).flatMap((trial) => observationsOf(trial, perRequestMs, withHandOver));
  let [laneSlowdown, contention] = [[1], 0];
  const lengthened = ({ running, frontEndBusy }: Observation): number => expected(running, laneSlowdown) * (1 + contention * frontEndBusy);
  let curve: CurvePoint[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    curve = fitCurve(observations.map((each) => ({ ...each, ms: each.ms / lengthened(each) })));
    laneSlowdown = fitSlowdown(observations, (each) => timeAt(curve, each.rows) * (1 + contention * each.frontEndBusy));
    contention = fitContention(observations, (each) => timeAt(curve, each.rows) * expected(each.running, laneSlowdown), contention);
  }

  const fixedMs = weightedMedian(
    lone.map((trial) => {
      const inLane = meanRun(trial) * withHandOver;
      return { value: Math.max(0, loneLatency(trial) - inLane - perRequestMs), weight: 1 };
    }),
  );
  const spread = runTimeSpread(lone.map((trial) => ({ latency: trial.result.from_send_ms, lessMs: delayOf(trial) })));
  // A GPU takes its time; what comes on top of it arises around the run, and is as long for a large one.
  const loneMs = weightedMedian(lone.map((trial) => ({ value: loneLatency(trial), weight: 1 })));
  const timesOf = (ms: number) => (factor: number) => (gpus === 0 ? factor * ms : Math.max(0, ms + (factor - 1) * loneMs));
  return {
    runTimes: curve.map(({ rows, ms }) => ({ rows, quantilesMs: spread.map(timesOf(ms)) })),
    laneSlowdown,
    gpu: gpus === 0 ? null : { count: gpus, asideMs: timeAside(usable, curve) },
    contention,
    frontEnd: { threads, perRequestMs, fixedMs },
    residuals: observations.map((each) => ({
      rows: each.rows,
      relative: (each.ms - timeAt(curve, each.rows) * lengthened(each)) / each.ms,
    })),
  };
}

function requireEnough(usable: readonly Trial[], lone: readonly Trial[]): void {
  const faults: string[] = [];
  const runs = usable.reduce((sum, { batches }) => sum + batches.reduce((ofTrial, batch) => ofTrial + batch.runs, 0), 0);
  if (runs < LEAST_RUNS)
    faults.push(`${runs} runs were measured in ${usable.length} usable trials; at least ${LEAST_RUNS} are needed to fit a server`);
  if (lone.length === 0) faults.push('no trial has one request in flight: what a request costs besides its run cannot be told');
  const kinds = new Set(usable.map(({ settings }) => runKind(settings)));
  const devices = new Set(usable.map(({ gpus }) => gpus));
  if (devices.size > 1) faults.push(`the trials ran on ${[...devices].join(', ')} GPUs; a fitted server has one number of them`);
  if (kinds.size > 1)
    faults.push(`the trials have runs of the kinds ${[...kinds].join(', ')} (CPU threads, precision); a fitted server has one kind`);
  if (faults.length > 0) throw new OptionsError(faults);
}

function observationsOf(trial: Trial, perRequestMs: number, withHandOver: number): Observation[] {
  // So many run at one time at most, whatever their number.
  const lanes = Math.min(lanesOn(trial.settings, trial.gpus), trial.load.inFlight ?? Infinity);
  const running = binomial(lanes - 1, laneShare(trial));
  const sizeOf = (rows: number): number => (trial.gpus === 0 ? rows : paddedRows(rows, trial.settings.maxBatchSize));
  return trial.batches
    .filter(({ runs, meanMs }) => runs > 0 && meanMs > 0)
    .map(({ rows, runs, meanMs }) => ({
      ...{ rows: sizeOf(rows), runs, ms: meanMs * withHandOver, lanes, running },
      frontEndBusy: (trial.result.rate_answered * perRequestMs) / 1e3,
    }));
}

/** Chances of 0 to n. */
function binomial(n: number, chance: number): number[] {
  let chances = [1];
  for (let i = 0; i < n; i++) {
    chances = [...chances, 0].map((same, k) => same * (1 - chance) + (chances[k - 1] ?? 0) * chance);
  }
  return chances;
}

/** `laneSlowdown` holds on beyond its end in proportion: lanes that were not measured gain nothing. */
export function slowdownOf(laneSlowdown: readonly number[], lanes: number): number {
  return laneSlowdown[lanes - 1] ?? ((laneSlowdown.at(-1) ?? 1) * lanes) / laneSlowdown.length;
}

function expected(running: readonly number[], laneSlowdown: readonly number[]): number {
  return running.reduce((sum, chance, others) => sum + chance * slowdownOf(laneSlowdown, others + 1), 0);
}

/** One number of lanes after the other, rising; between those that were measured in a straight line. */
function fitSlowdown(observations: readonly Observation[], alone: (each: Observation) => number): number[] {
  const slowdown = [1];
  const lanesSeen = [...new Set(observations.map(({ lanes }) => lanes))].filter((lanes) => lanes > 1).sort((a, b) => a - b);
  for (const lanes of lanesSeen) {
    const known = slowdown.length;
    const last = slowdown.at(-1) ?? 1;
    const share = (running: number): number => Math.max(0, (running - known) / (lanes - known));
    // measured / alone = fromKnown + slope x (slowdown with all lanes - last), least squares.
    const ofLanes = observations.filter((each) => each.lanes === lanes);
    const fromKnown = ofLanes.map(({ running }) => running.reduce((sum, chance, others) => sum + chance * (slowdown[others] ?? last), 0));
    const slope = ofLanes.map(({ running }) => running.reduce((sum, chance, others) => sum + chance * share(others + 1), 0));
    const ratios = ofLanes.map((each) => each.ms / alone(each));
    const middle = weightedMedian(ratios.map((value, i) => ({ value, weight: ofLanes[i]?.runs ?? 0 })));
    const weights = robustWeights(
      ofLanes,
      ratios.map((ratio) => ratio / middle - 1),
    );
    let [products, squares] = [0, 0];
    ratios.forEach((ratio, i) => {
      products += (weights[i] ?? 0) * (slope[i] ?? 0) * (ratio - (fromKnown[i] ?? 1));
      squares += (weights[i] ?? 0) * (slope[i] ?? 0) ** 2;
    });
    const more = squares > 0 ? Math.max(0, products / squares) : 0;
    for (let running = known + 1; running <= lanes; running++) slowdown.push(last + more * share(running));
  }
  return slowdown;
}

/**
 * Slope of the relative run time over the load, within each size: where a size was seen at one load only, nothing can be told from it. Nothing
 * gets faster by load.
 */
function fitContention(observations: readonly Observation[], without: (each: Observation) => number, before: number): number {
  const ratios = observations.map((each) => each.ms / without(each));
  const errors = observations.map(({ frontEndBusy }, i) => (ratios[i] ?? 1) / (1 + before * frontEndBusy) - 1);
  const weights = robustWeights(observations, errors);
  let [products, squares] = [0, 0];
  for (const size of new Set(observations.map(({ rows }) => rows))) {
    const points = observations.flatMap(({ rows, frontEndBusy }, i) =>
      rows === size ? [{ load: frontEndBusy, ratio: ratios[i] ?? 1, weight: weights[i] ?? 0 }] : [],
    );
    const sum = points.reduce((total, { weight }) => total + weight, 0);
    const meanLoad = points.reduce((total, { load, weight }) => total + weight * load, 0) / sum;
    for (const { load, ratio, weight } of points) {
      products += weight * (load - meanLoad) * ratio;
      squares += weight * ((load - meanLoad) ** 2 + LEAST_LOAD_APART ** 2);
    }
  }
  return squares > 0 ? Math.max(0, products / squares) : 0;
}

/** Under load, where threads do not sleep and wake for each request; of lone requests where there is nothing else. */
function loadedFrontEndTime(trials: readonly Trial[]): number {
  const loaded = trials.filter(({ load }) => load.inFlight !== 1);
  const from = loaded.length > 0 ? loaded : trials;
  return weightedMedian(from.map((trial) => ({ value: trial.frontEndCpuMs, weight: trial.result.counts.answered })));
}

/**
 * Milliseconds a request, from closed loops that left their lanes idle: the front end did no more, with the generator on the same cores perhaps.
 * Whichever of the two it was, no rate is promised that was not seen. 0 = no trial tells.
 */
function limitedFrontEndTime(trials: readonly Trial[], threads: number): number {
  const limited = trials.filter(
    (trial) =>
      (trial.load.inFlight ?? 0) >= MANY_IN_FLIGHT &&
      trial.result.counts.answered >= MANY_ANSWERED &&
      (trial.settings.maxQueueDelayUs ?? 0) === 0 &&
      laneShare(trial) < IDLE_LANES,
  );
  return weightedMedian(limited.map(({ result }) => ({ value: (1e3 * threads) / result.rate_answered, weight: 1 })));
}

/** Milliseconds that a lone request waits for others. */
function delayOf({ settings, load }: Trial): number {
  return settings.maxBatchSize > load.rowsPerRequest ? (settings.maxQueueDelayUs ?? 0) / 1e3 : 0;
}

function loneLatency(trial: Trial): number {
  return (trial.result.from_send_ms.p50.value ?? 0) - delayOf(trial);
}

function meanRun({ batches }: Trial): number {
  const runs = batches.reduce((sum, batch) => sum + batch.runs, 0);
  return batches.reduce((sum, batch) => sum + batch.runs * batch.meanMs, 0) / Math.max(1, runs);
}
