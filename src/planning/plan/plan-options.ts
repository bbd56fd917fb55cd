/** The flags of `penstock plan`. */
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { OptionsError } from '../../config/load.js';
import { nearestName } from '../../config/nearest-name.js';
import { readShape } from '../bench/bench-options.js';
import type { LatencyGoal } from '../measure/trial.js';
import { readDuration, readRate } from './measures.js';
import { checkFolder } from './plan-folder.js';
import { readPrices, type PriceTable } from './prices.js';

export const AUTOSCALERS = ['none', 'hpa', 'keda'] as const;

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
  readonly autoscaler: (typeof AUTOSCALERS)[number];
  /** Path or URL of k8s/, as the kustomization is to name it; empty = that of this checkout. */
  readonly k8s: string;
  readonly seed: number;
}

const text = (value: string) => ({ type: 'string', default: value }) as const;
const PERCENTILES = [50, 90, 95, 99] as const;
const FLAGS = {
  'latency-p50': text(''),
  'latency-p90': text(''),
  'latency-p95': text(''),
  'latency-p99': text(''),
  load: text(''),
  out: text(''),
  arrivals: text('poisson'),
  'batch-size': text('1'),
  shape: { type: 'string', multiple: true, default: [] as string[] },
  data: text('random'),
  budget: text('4m'),
  headroom: text('0.2'),
  spare: text('1'),
  kind: text(''),
  'price-per-hour': text(''),
  prices: text(''),
  currency: text(''),
  'min-replicas': text(''),
  'max-replicas': text(''),
  'start-up-time': text('60s'),
  autoscaler: text('hpa'),
  k8s: text(''),
  seed: text('1'),
} as const;

/** The flag that only prints the table of prices. */
export const PRINT_PRICES = '--print-prices';

export function planHelp(): string {
  return `usage: penstock plan MODEL_DIR --latency-p99 20ms --load 2000/s --out DIR [flags]
       penstock plan ${PRINT_PRICES} > prices.yaml

Says how many servers (GPUs) a model needs: starts servers of its own with the model, searches for the settings with which one sustains the
highest rate within the latency goal, and works out replicas, autoscaling and cost. Nothing else should run on the machine meanwhile.
DIR gets plan.json, report.html, config.pbtxt (the chosen settings), kustomization.yaml and, in runs/, each measurement. The same command
goes on where an earlier one was stopped.

  --latency-p99 T         the goal: 99 % of the requests are answered within T, such as 20ms (us, ms, s); or -p95, -p90, -p50
  --load R                that all replicas together are to carry, such as 2000/s (/s, /min, /h)
  --out DIR               is made; or the folder of an earlier plan of the same model
  --arrivals KIND         poisson, constant, gamma:SHAPE (bursts: SHAPE below 1) [default: ${FLAGS.arrivals.default}]
  --batch-size B          rows of a request, for inputs whose first dimension is free [default: ${FLAGS['batch-size'].default}]
  --shape NAME:D,D,...    the whole shape of an input; needed where another dimension is free; may be given several times
  --data KIND             random or zeros [default: ${FLAGS.data.default}]
  --budget T              for measuring, such as 90s or 10m; more gives narrower intervals [default: ${FLAGS.budget.default}]
  --headroom SHARE        of what one replica sustains, left free on purpose, 0 to 0.9 [default: ${FLAGS.headroom.default}]
  --spare N               replicas that may fail at one time without the goal being missed [default: ${FLAGS.spare.default}]
  --min-replicas N        of the autoscaler [default: one, and the spare ones]
  --max-replicas N        [default: for twice the load]
  --start-up-time T       from the start of a pod until it answers, such as 90s [default: ${FLAGS['start-up-time'].default}]
  --autoscaler KIND       of the kustomization: ${AUTOSCALERS.join(', ')} [default: ${FLAGS.autoscaler.default}]
  --k8s PATH              path or URL of the folder k8s, as the kustomization is to name it [default: from DIR to that of this checkout]
  --kind NAME             row of the table of prices [default: the one that fits the GPU, or the cores]
  --prices FILE           a table of your own, made from what ${PRINT_PRICES} prints; the prices of ours are examples
  --price-per-hour X      of one replica, instead of a table; --currency NAME
  --seed N                of arrivals and data [default: ${FLAGS.seed.default}]

Ctrl-C ends the measuring and makes the plan of what there is.
exit codes: 0 planned, 64 bad usage, no such model or a goal that no setting can meet, 70 a measured server died or did not start, 73 the model's
configuration is wrong or DIR cannot be written, 75 the measurement does not suffice (the machine was busy, say), 130 and 143 ended early by a
signal; what was measured is kept in DIR each time`;
}

/** `args`: what follows the command. Throws `OptionsError` with everything that is wrong. */
export function loadPlanOptions(args: readonly string[]): PlanOptions {
  const { values, positionals } = readFlags(args);
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
    headroom: number('headroom', 0, 0.9, false),
    spare: number('spare', 0, 1000, true),
    kind: values.kind,
    pricePerHour: values['price-per-hour'] === '' ? null : number('price-per-hour', 0, 1_000_000, false),
    prices: values.currency === '' ? prices : { ...prices, currency: values.currency },
    minReplicas,
    maxReplicas,
    startUpS: seconds('start-up-time', 0, 24 * 3600),
    autoscaler: choice('autoscaler', AUTOSCALERS),
    k8s: values.k8s,
    seed: number('seed', 0, Number.MAX_SAFE_INTEGER, true),
  };
  if (values.kind !== '' && !prices.perHour.has(values.kind)) {
    faults.push(`--kind: "${values.kind}" is not in the table of prices, which has ${[...prices.perHour.keys()].join(', ')}`);
  }
  if (values.out === '') faults.push('--out is missing: the folder for the plan');
  else faults.push(...checkFolder(options.out, basename(options.modelFolder)));
  if (faults.length > 0) throw new OptionsError(faults);
  return options;
}

type Values = ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>['values'];

function readFlags(args: readonly string[]): { readonly values: Values; readonly positionals: readonly string[] } {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const [, unknown] = /^Unknown option '--([^']*)'/.exec(message) ?? [];
    if (unknown === undefined) throw new OptionsError([message]);
    const nearest = nearestName(unknown, Object.keys(FLAGS));
    throw new OptionsError([
      `--${unknown} is not a flag of plan${nearest === undefined ? '; --help lists them' : `; did you mean --${nearest}?`}`,
    ]);
  }
}

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

function readLoad(given: string, faults: string[]): number {
  const rate = readRate(given);
  if (given === '') faults.push('--load is missing: the requests that all replicas together are to carry, such as 2000/s');
  else if (rate === undefined || !(rate > 0 && rate <= 1e9)) {
    faults.push(`--load: "${given}" is not a rate above 0 with its unit, such as 2000/s or 90000/min`);
  }
  return rate ?? 0;
}
