/** The flags of `penstock bench diff`. */
import { OptionsError } from '../../config/load.js';
import { readFlags } from '../flags.js';
import { LEAST_RUNS } from './change.js';

export interface DiffOptions {
  /** Files of one kind of result. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Share by which a figure may be worse without the exit code saying so, such as 0.05. */
  readonly tolerance: number;
  readonly force: boolean;
}

const FLAGS = { tolerance: { type: 'string', default: '5%' }, force: { type: 'boolean', default: false } } as const;

export function diffHelp(): string {
  return `usage: penstock bench diff A.json B.json [flags]

Tells changes from noise between results of "bench --json", or of "bench compare --json": for each figure the change from A to B with an
interval; all intervals of a table hold together with 95 % confidence. Of comparisons, what changes is the ratio to the first --against.
A and B may be several files each, A1.json,A2.json,...: with ${LEAST_RUNS} runs or rounds on both sides the interval comes from their scatter,
below that from the noise within the runs, which is less than that between them. Five of each show a change of 10 % where runs repeat to 2.5 %.

  --tolerance P%          by how much a figure may be worse without exit code 1; misses have no tolerance [default: ${FLAGS.tolerance.default}]
  --force                 compare runs whose settings differ

exit codes: 0 nothing is worse beyond the tolerance, 1 something is, 64 bad usage, a file that is no result, or settings that differ`;
}

/** `args`: what follows "diff". Throws `OptionsError` with everything that is wrong. */
export function loadDiffOptions(args: readonly string[]): DiffOptions {
  const { values, positionals } = readFlags(args, FLAGS, 'bench diff', true);
  const faults: string[] = [];
  if (positionals.length !== 2) faults.push(`expected two results, A.json B.json, found ${positionals.length}`);
  const [before = [], after = []] = positionals.map((given) => given.split(','));
  if ([...before, ...after].includes('')) faults.push('the name of a file is empty');
  const tolerance = Number(/^(\d+(?:\.\d+)?)%$/.exec(values.tolerance)?.[1] ?? NaN);
  if (!(tolerance < 100)) faults.push(`--tolerance: "${values.tolerance}" is not a percentage such as 5%, below 100%`);
  if (faults.length > 0) throw new OptionsError(faults);
  return { before, after, tolerance: tolerance / 100, force: values.force };
}
