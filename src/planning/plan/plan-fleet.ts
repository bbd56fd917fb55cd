/** From what was measured of one server to how many a load needs: the part of a plan that starts no server. */
import type { MaxRate, Trial } from '../measure/trial.js';
import { fitServer } from '../server-model/fit-server.js';
import { planAutoscaling, planReplicas, replicasByLoad, type FleetOptions } from '../server-model/fleet.js';
import { leaveOneOut, type MeasuredCell } from '../server-model/leave-one-out.js';
import type { Simulate } from '../server-model/simulation-job.js';
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
type PriceChoices = Pick<PlanOptions, 'rate' | 'kind' | 'pricePerHour' | 'prices'>;

/**
 * `trials`: of the chosen number of CPU threads, with any other settings. Throws `OptionsError` for too few of them to fit a server, or where
 * no number of replicas carries the load, and what `simulate` throws.
 */
export async function planFleet(
  options: FleetChoices,
  best: Pick<MaxRate, 'settings' | 'rate'>,
  trials: readonly Trial[],
  hardware: Hardware,
  simulate: Simulate,
): Promise<FleetPlan> {
  const fitted = fitServer(withThreads(trials, best.settings.cpuThreads), hardware.cpus);
  const { goal, rate, arrivals, seed, headroom, spare } = options;
  const load = { arrivals, seed, rowsPerRequest: options.batchSize };
  const fleet: FleetOptions = { ...load, fitted, settings: best.settings, goal, rate, sustained: best.rate, headroom, simulate };
  const replicas: Replicas = await planReplicas({ ...fleet, spare });
  const autoscaling = bounded(await planAutoscaling({ ...fleet, replicas, delaySeconds: AUTOSCALER_S + options.startUpS }), options);
  const cost = costOf(options, replicas.total, hardware);
  const byLoad = replicasByLoad(fleet, replicas).map((point) => ({
    ...point,
    costPerHour: cost === null ? null : cost.perHour * point.replicas,
  }));
  return { fitted, replicas, replicasByLoad: byLoad, autoscaling, cost };
}

/** What the user says about bounds wins, and moves the other bound out of its way. */
function bounded(autoscaling: Autoscaling, { minReplicas, maxReplicas }: FleetChoices): Autoscaling {
  const least = minReplicas ?? Math.min(autoscaling.least, maxReplicas ?? Infinity);
  return { ...autoscaling, least, most: maxReplicas ?? Math.max(autoscaling.most, least) };
}

/** null: no price is known. */
export function costOf({ kind, pricePerHour, prices, rate }: PriceChoices, replicas: number, hardware: Hardware): Cost | null {
  const listed = priceOfReplica(prices, kind, hardware);
  const price = pricePerHour === null ? listed : { kind: listed?.kind ?? 'replica', perHour: pricePerHour };
  if (price === undefined) return null;
  const allPerHour = price.perHour * replicas;
  return { ...price, currency: prices.currency, allPerHour, perMillionRequests: (allPerHour * 1e6) / (rate * SECONDS_OF_HOUR) };
}

/**
 * How well the model of the server predicts cells that it was not fitted to. Trials with one request in flight have no queue and so nothing of
 * a cell's batching in them: they are given to each. Empty where too few cells were finished to leave one out.
 */
export async function predictCells(
  options: FleetChoices,
  cells: readonly MeasuredCell[],
  lone: readonly Trial[],
  hardware: Hardware,
  simulate: Simulate,
): Promise<readonly Prediction[]> {
  const predictions: Prediction[] = [];
  const { goal, arrivals, seed } = options;
  for (const threads of new Set(cells.map(({ settings }) => settings.cpuThreads))) {
    const group = cells
      .filter(({ settings }) => settings.cpuThreads === threads)
      .map((cell) => ({ ...cell, trials: [...cell.trials, ...withThreads(lone, threads)] }));
    if (group.length < 2) continue;
    predictions.push(...(await leaveOneOut(group, goal, hardware.cpus, { arrivals, seed, rowsPerRequest: options.batchSize, simulate })));
  }
  return predictions.map(({ settings, measured, predicted }) => ({ settings, measured, predicted }));
}

function withThreads(trials: readonly Trial[], threads: number): readonly Trial[] {
  return trials.filter(({ settings }) => settings.cpuThreads === threads);
}
