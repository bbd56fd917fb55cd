/** From what was measured of one server to how many a load needs: the part of a plan that starts no server. */
import { OptionsError } from '../../config/load.js';
import type { LatencyGoal, MaxRate, Trial } from '../measure/trial.js';
import { fitServer } from '../server-model/fit-server.js';
import type { FittedServer } from '../server-model/fitted-server.js';
import { planAutoscaling, planReplicas, replicasByLoad, shareDevice, type FleetOptions } from '../server-model/fleet.js';
import { predictLeftOut, type MeasuredCell } from '../server-model/leave-one-out.js';
import { predictMaxRate, type PredictionOptions } from '../server-model/predict-rate.js';
import type { Simulate } from '../server-model/simulation-job.js';
import { runKind } from '../server-settings.js';
import { LEAST_PERCENTILE } from './config-pbtxt.js';
import type { Autoscaling, Cost, Plan, Prediction, Replicas } from './plan.js';
import type { PlanOptions } from './plan-options.js';
import { priceOfReplica, type Hardware } from './prices.js';

/** Seconds from too much load until the autoscaler has asked for a pod: k8s/components/hpa records every 15 s and waits for another 30. */
const AUTOSCALER_S = 45;
const SECONDS_OF_HOUR = 3600;

export type FleetPlan = Pick<Plan, 'fitted' | 'replicas' | 'replicasByLoad' | 'autoscaling' | 'cost'>;

export const NO_FLEET: FleetPlan = { fitted: null, replicas: null, replicasByLoad: [], autoscaling: null, cost: null };

type FleetChoices = Pick<
  PlanOptions,
  'goal' | 'rate' | 'arrivals' | 'batchSize' | 'seed' | 'headroom' | 'spare' | 'startUpS' | 'minReplicas' | 'maxReplicas'
> &
  PriceChoices;
type PriceChoices = Pick<PlanOptions, 'rate' | 'kind' | 'pricePerHour' | 'prices'> & {
  /** Busy models, this one among them, that share the device of a replica; 1 = it has it for itself, as while it was measured. */
  readonly sharedBy?: number;
};

/**
 * `trials`: of the chosen kind of runs, with any other settings; others count for nothing. On a shared device the measured rate is taken as much lower as the
 * fitted server predicts, and the rest is that of the slower server; `fitted` stays as measured. Throws `OptionsError` for too few trials to
 * fit a server, or where no number of replicas carries the load, and what `simulate` throws, as it is: the reason of a stop, too.
 */
export async function planFleet(
  options: FleetChoices,
  best: Pick<MaxRate, 'settings' | 'rate'>,
  trials: readonly Trial[],
  hardware: Hardware,
  simulate: Simulate,
): Promise<FleetPlan> {
  const ofKind = trials.filter(({ settings }) => runKind(settings) === runKind(best.settings));
  const fitted = fitServer(ofKind, hardware.cpus);
  const { goal, rate, arrivals, seed, headroom, spare, sharedBy = 1 } = options;
  const load = { arrivals, seed, rowsPerRequest: options.batchSize, simulate };
  const replica = sharedBy === 1 ? { fitted, sustained: best.rate } : await onSharedDevice(fitted, best, goal, sharedBy, load);
  const fleet: FleetOptions = {
    ...load,
    ...replica,
    settings: best.settings,
    goal,
    rate,
    headroom,
    refusesLate: goal.percentile >= LEAST_PERCENTILE,
  };
  const replicas: Replicas = await planReplicas({ ...fleet, spare });
  const autoscaling = bounded(await planAutoscaling({ ...fleet, replicas, delaySeconds: AUTOSCALER_S + options.startUpS }), options);
  const cost = costOf(options, replicas.total, hardware);
  const byLoad = replicasByLoad(fleet, replicas).map((point) => ({
    ...point,
    costPerHour: cost === null ? null : cost.perHour * point.replicas,
  }));
  return { fitted, replicas, replicasByLoad: byLoad, autoscaling, cost };
}

/** The measured rate, scaled by what the simulation says of the same server with and without others on its device. */
async function onSharedDevice(
  fitted: FittedServer,
  { settings, rate }: Pick<MaxRate, 'settings' | 'rate'>,
  goal: LatencyGoal,
  sharedBy: number,
  options: PredictionOptions,
): Promise<Pick<FleetOptions, 'fitted' | 'sustained'>> {
  const shared = shareDevice(fitted, sharedBy);
  const alone = await predictMaxRate(fitted, settings, goal, options);
  const slower = await predictMaxRate(shared, settings, goal, options);
  const share = alone > 0 ? Math.min(1, slower / alone) : 0;
  return { fitted: shared, sustained: { value: share * rate.value, low: share * rate.low, high: share * rate.high } };
}

/** What the user says about bounds wins, and moves the other bound out of its way. */
function bounded(autoscaling: Autoscaling, { minReplicas, maxReplicas }: FleetChoices): Autoscaling {
  const least = minReplicas ?? Math.min(autoscaling.least, maxReplicas ?? Infinity);
  return { ...autoscaling, least, most: maxReplicas ?? Math.max(autoscaling.most, least) };
}

/** null: no price is known. Of a listed price a replica pays its share of the device; a price that the user gives is that of a replica. */
export function costOf(choices: PriceChoices, replicas: number, hardware: Hardware): Cost | null {
  const { kind, pricePerHour, prices, rate, sharedBy = 1 } = choices;
  const listed = priceOfReplica(prices, kind, hardware);
  if (listed === undefined && pricePerHour === null) return null;
  const price = { kind: listed?.kind ?? 'replica', perHour: pricePerHour ?? (listed?.perHour ?? 0) / sharedBy };
  const allPerHour = price.perHour * replicas;
  return { ...price, currency: prices.currency, allPerHour, perMillionRequests: (allPerHour * 1e6) / (rate * SECONDS_OF_HOUR) };
}

/**
 * How well the model of the server predicts cells that it was not fitted to. `lone`: trials with one request in flight, of any settings. Without
 * the cells whose settings alone tell what a fit needs. Throws what `simulate` throws, as it is.
 */
export async function predictCells(
  options: FleetChoices,
  cells: readonly MeasuredCell[],
  lone: readonly Trial[],
  hardware: Hardware,
  simulate: Simulate,
): Promise<readonly Prediction[]> {
  const predictions: Prediction[] = [];
  const { goal, arrivals, seed, batchSize: rowsPerRequest } = options;
  for (const cell of cells) {
    const others = { cells, shared: lone, goal, cpus: hardware.cpus, arrivals, seed, rowsPerRequest, simulate };
    const judged = await predictLeftOut(cell, others).catch(unlessTooFew);
    if (judged !== null) predictions.push({ settings: judged.settings, measured: judged.measured, predicted: judged.predicted });
  }
  return predictions;
}

function unlessTooFew(thrown: unknown): null {
  if (thrown instanceof OptionsError) return null;
  throw thrown;
}
