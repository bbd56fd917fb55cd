/** The flags of `penstock plan`. */
import { resolve } from 'node:path';
import { OptionsError } from '../../config/load.js';
import { k8sFaults } from '../../manifests/k8s-folder.js';
import { readShape } from '../bench/bench-options.js';
import { readFlags, type FlagValues } from '../flags.js';
import type { LatencyGoal } from '../measure/trial.js';
import { PRECISIONS, type Precision } from '../server-settings.js';
import { readDuration, readRate } from './measures.js';
import { AUTOSCALERS, FLAGS, PERCENTILES } from './plan-flags.js';
import { checkFolder } from './plan-folder.js';
import { readPrices, type PriceTable } from './prices.js';

export interface PlanOptions {
  readonly modelFolder: string;
  readonly goal: LatencyGoal;
  /** Requests per second of all replicas together. */
  readonly rate: number;
  readonly out: string;
  /** As the load generator takes them. */
  readonly arrivals: string;
  readonly batchSize: number;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly data: 'random' | 'zeros';
  /** Seconds of measuring. */
  readonly budgetS: number;
  /** Of a GPU, to be tried, without doubles; empty = as the model's configuration has it. */
  readonly precisions: readonly Precision[];
  readonly headroom: number;
  readonly spare: number;
  /** Row of the table of prices; empty = the one that fits this machine. */
  readonly kind: string;
  /** Of one replica, instead of the table; null = by the table. */
  readonly pricePerHour: number | null;
  readonly prices: PriceTable;
  readonly minReplicas: number | null;
  readonly maxReplicas: number | null;
  /** From the start of a pod until it answers. */
  readonly startUpS: number;
  /** Busy models that share the GPU of a replica, this one among them. */
  readonly sharedBy: number;
  readonly autoscaler: (typeof AUTOSCALERS)[number];
  /** Path or URL of k8s/; empty = that of this checkout. */
  readonly k8s: string;
  readonly seed: number;
}

/** Seeds of single runs and simulations are some numbers further on, and must stay exact. */
const MOST_SEED = 2 ** 32 - 1;
const MOST_SHARING = 100;

/** `args`: what follows the command. Throws `OptionsError` with everything that is wrong. */
export function loadPlanOptions(args: readonly string[]): PlanOptions {
  const { values, positionals } = readFlags(args, FLAGS, 'plan', true);
  const faults: string[] = [];
  const [modelFolder = '', ...others] = positionals;
  if (modelFolder === '') faults.push('MODEL_DIR is missing: the folder of a model, such as models/digits');
  if (others.length > 0) faults.push(`one MODEL_DIR is planned at a time: "${others.join('", "')}" is too much`);
  const number = (flag: keyof typeof FLAGS, least: number, most: number, whole: boolean): number => {
    const given = String(values[flag]);
    const value = Number(given);
    if ((whole ? /^\d+$/ : /^\d+(\.\d+)?$/).test(given) && value >= least && value <= most) return value;
    faults.push(`--${flag}: "${given}" is not a ${whole ? 'whole ' : ''}number from ${least} to ${most}`);
    return least;
  };
  const count = (flag: 'min-replicas' | 'max-replicas'): number | null => (values[flag] === '' ? null : number(flag, 1, 100_000, true));
  const seconds = (flag: 'budget' | 'start-up-time', least: number, most: number): number => {
    const value = (readDuration(values[flag], ['s', 'm', 'h']) ?? NaN) / 1000;
    if (value >= least && value <= most) return value;
    faults.push(`--${flag}: "${values[flag]}" is not a time from ${least}s to ${most / 3600}h, such as 90s or 4m`);
    return least;
  };
  const choice = <T extends string>(flag: 'data' | 'autoscaler', choices: readonly T[]): T => {
    const found = choices.find((one) => one === values[flag]);
    if (found === undefined) faults.push(`--${flag}: "${values[flag]}" is not one of ${choices.join(', ')}`);
    return found ?? (choices[0] as T);
  };
  const [minReplicas, maxReplicas] = [count('min-replicas'), count('max-replicas')];
  if (minReplicas !== null && maxReplicas !== null && minReplicas > maxReplicas) {
    faults.push(`--min-replicas: ${minReplicas} is more than --max-replicas ${maxReplicas}`);
  }
  if (!/^(poisson|constant|gamma:(?!0+(\.0*)?$)\d+(\.\d+)?)$/.test(values.arrivals)) {
    faults.push(`--arrivals: "${values.arrivals}" is not poisson, constant or gamma:SHAPE with a SHAPE above 0`);
  }
  const prices = readPrices(values.prices, faults);
  const options: PlanOptions = {
    modelFolder: resolve(modelFolder),
    goal: readGoal(values, faults),
    rate: readLoad(values.load, faults),
    out: resolve(values.out),
    arrivals: values.arrivals,
    batchSize: number('batch-size', 1, 1_000_000, true),
    shapes: new Map(values.shape.map((given) => readShape(given, faults))),
    data: choice('data', ['random', 'zeros']),
    budgetS: seconds('budget', 5, 24 * 3600),
    precisions: readPrecisions(values.precisions, faults),
    headroom: number('headroom', 0, 0.9, false),
    spare: number('spare', 0, 1000, true),
    kind: values.kind,
    pricePerHour: values['price-per-hour'] === '' ? null : number('price-per-hour', 0, 1_000_000, false),
    prices: values.currency === '' ? prices : { ...prices, currency: values.currency },
    minReplicas,
    maxReplicas,
    startUpS: seconds('start-up-time', 0, 24 * 3600),
    sharedBy: number('device-shared-by', 1, MOST_SHARING, true),
    autoscaler: choice('autoscaler', AUTOSCALERS),
    k8s: values.k8s,
    seed: number('seed', 0, MOST_SEED, true),
  };
  faults.push(...k8sFaults(values.k8s));
  if (values.kind !== '' && !prices.perHour.has(values.kind)) {
    faults.push(`--kind: "${values.kind}" is not in the table of prices, which has ${[...prices.perHour.keys()].join(', ')}`);
  }
  if (values.out === '') faults.push('--out is missing: the folder for the plan');
  else faults.push(...checkFolder(options.out, options.modelFolder));
  if (faults.length > 0) throw new OptionsError(faults);
  return options;
}

type Values = FlagValues<typeof FLAGS>;

function readGoal(values: Values, faults: string[]): LatencyGoal {
  const given = PERCENTILES.filter((percentile) => values[`latency-p${percentile}`] !== '');
  const [percentile = 99] = given;
  if (given.length === 0) faults.push('--latency-p99 is missing: the time within which 99 % of the requests are answered, such as 20ms');
  if (given.length > 1) faults.push(`one goal is planned for: --latency-p${given.join(' and --latency-p')} exclude each other`);
  const wanted = values[`latency-p${percentile}`];
  const latencyMs = readDuration(wanted, ['us', 'ms', 's']) ?? NaN;
  if (given.length > 0 && !(latencyMs > 0 && latencyMs <= 3_600_000)) {
    faults.push(`--latency-p${percentile}: "${wanted}" is not a time above 0 with its unit, such as 500us, 20ms or 1.5s`);
  }
  return { percentile, latencyMs };
}

function readPrecisions(given: string, faults: string[]): readonly Precision[] {
  const names = given === '' ? [] : given.split(',');
  const known = PRECISIONS.filter((precision) => names.includes(precision));
  if (known.length !== names.length) faults.push(`--precisions: "${given}" is not a list of ${PRECISIONS.join(', ')}, each at most once`);
  return known.toSorted((a, b) => names.indexOf(a) - names.indexOf(b));
}

function readLoad(given: string, faults: string[]): number {
  const rate = readRate(given);
  if (given === '') faults.push('--load is missing: the requests that all replicas together are to carry, such as 2000/s');
  else if (rate === undefined || !(rate > 0 && rate <= 1e9)) {
    faults.push(`--load: "${given}" is not a rate above 0 with its unit, such as 2000/s or 90000/min`);
  }
  return rate ?? 0;
}
