/** How well the model of a server predicts what it has not seen: each cell by a model that was fitted to the others. */
import type { Estimate } from '../estimate.js';
import { rateBounds } from '../measure/rate-evidence.js';
import type { LatencyGoal, Trial } from '../measure/trial.js';
import type { Prediction } from '../plan/plan.js';
import { runKind, settingsName, type ServerSettings } from '../server-settings.js';
import { fitServer } from './fit-server.js';
import { predictMaxRate, type PredictionOptions } from './predict-rate.js';

/** Settings of one model whose highest rate was measured. */
export interface MeasuredCell {
  readonly settings: ServerSettings;
  readonly measured: Estimate;
  readonly trials: readonly Trial[];
}

export interface JudgedPrediction extends Prediction {
  /** predicted / measured - 1: above 0 promises too much. */
  readonly error: number;
  /** Within 5 % of the value, or within the interval of the measurement where that is wider. */
  readonly isWithin: boolean;
  /** How far it lies above both the value and the interval, relative; 0 = it does not. */
  readonly unsafeBy: number;
}

/** Relative; within it a prediction counts as right. */
export const TOLERANCE = 0.05;

export interface LeaveOneOutOptions extends PredictionOptions {
  readonly cells: readonly MeasuredCell[];
  /** Further trials of the same model, of no cell in particular. They count once, and not at all for a cell with the same settings. */
  readonly shared: readonly Trial[];
  readonly goal: LatencyGoal;
  /** Of the server. */
  readonly cpus: number;
}

/**
 * What a model of the server that saw nothing of these settings says of the cell, by all else that has its kind of runs. Throws
 * `OptionsError` when that does not suffice for a fit, and what `simulate` throws.
 */
export async function predictLeftOut(cell: MeasuredCell, options: LeaveOneOutOptions): Promise<JudgedPrediction> {
  const name = settingsName(cell.settings);
  const isOther = ({ settings }: { readonly settings: ServerSettings }): boolean =>
    settingsName(settings) !== name && runKind(settings) === runKind(cell.settings);
  const trials = [...options.cells.filter(isOther).flatMap((other) => other.trials), ...options.shared.filter(isOther)];
  const fitted = fitServer(trials, options.cpus);
  return judge(cell, await predictMaxRate(fitted, cell.settings, options.goal, options));
}

/**
 * Whether predictions can be held against what was measured: the rate was confirmed, and both ends of its interval are evidence. An upper end
 * from which on the load generator was late itself, or that was only tried, would let any prediction below it pass.
 */
export function isEvidence(
  { measured, trials, isConfirmed }: MeasuredCell & { readonly isConfirmed: boolean },
  goal: LatencyGoal,
): boolean {
  return isConfirmed && measured.low > 0 && rateBounds(trials, goal).high !== null;
}

export function judge({ settings, measured }: Pick<MeasuredCell, 'settings' | 'measured'>, predicted: number): JudgedPrediction {
  const { value, low, high } = measured;
  const isInInterval = predicted >= low && predicted <= high;
  return {
    ...{ settings, measured, predicted, error: predicted === value ? 0 : predicted / value - 1 },
    isWithin: isInInterval || Math.abs(predicted - value) <= TOLERANCE * value,
    unsafeBy: predicted > Math.max(value, high) ? predicted / Math.max(value, high) - 1 : 0,
  };
}
