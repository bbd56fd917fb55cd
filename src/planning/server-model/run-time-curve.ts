/** Mean time of a run by its rows: a monotone curve through what was measured, which one disturbed trial does not bend. */

export interface MeanRun {
  readonly rows: number;
  /** How many runs the mean is of. */
  readonly runs: number;
  readonly ms: number;
}

export interface CurvePoint {
  readonly rows: number;
  readonly ms: number;
}

/** Runs from which on a mean is as good as its trial: what differs between trials does not shrink with more runs. */
const RUNS_OF_HALF_WEIGHT = 30;
/** Weight of the straight line in each size: as much as a single run has nearly, so that it matters only where hardly anything was measured. */
const LINE_WEIGHT = 0.02;
/** Huber's constant: deviations beyond so many standard deviations count less and less. */
const HUBER = 1.345;
/** Relative; means that differ by less are equal. */
const LEAST_SCALE = 0.005;
const ROUNDS = 20;

const weightOf = ({ runs }: MeanRun): number => runs / (runs + RUNS_OF_HALF_WEIGHT);

/**
 * Points at each size that was measured, at 1 row and at twice the largest size, by rising rows and never falling. Between sizes that were not
 * measured a straight line of fixed + per row (weighted, robust least squares of relative errors) says how it goes on; with only one size
 * nothing can be told apart and the time is taken as proportional to the rows, which is never too short for larger batches.
 * `runs` must not be empty; each `ms` above 0.
 */
export function fitCurve(runs: readonly MeanRun[]): CurvePoint[] {
  const line = fitLine(runs);
  const at = (rows: number): number => line.fixed + line.perRow * rows;
  const sizes = [...new Set(runs.map(({ rows }) => rows))].sort((a, b) => a - b);
  const pooled = sizes.map((rows) => {
    const ofSize = runs.filter((run) => run.rows === rows);
    const { ms, weight } = robustMean(ofSize);
    return { rows, ms: (weight * ms + LINE_WEIGHT * at(rows)) / (weight + LINE_WEIGHT), weight: weight + LINE_WEIGHT };
  });
  const curve = neverFalling(pooled);
  const [first] = curve;
  const last = curve.at(-1);
  if (first === undefined || last === undefined) return [];
  // A run of one row takes at least its share of the first size, whatever the line says.
  if (first.rows > 1) curve.unshift({ rows: 1, ms: Math.max(first.ms - line.perRow * (first.rows - 1), first.ms / first.rows) });
  curve.push({ rows: 2 * last.rows, ms: last.ms + line.perRow * last.rows });
  return curve;
}

/** Milliseconds at any number of rows; `curve` as fitCurve makes it. */
export function timeAt(curve: readonly CurvePoint[], rows: number): number {
  const found = curve.findIndex((point) => point.rows >= rows);
  const at = Math.max(1, found === -1 ? curve.length - 1 : found);
  const [left, right] = [curve[at - 1], curve[at]];
  if (left === undefined || right === undefined) throw new RangeError('a curve has two points at least');
  return left.ms + ((right.ms - left.ms) * (rows - left.rows)) / (right.rows - left.rows);
}

function fitLine(runs: readonly MeanRun[]): { fixed: number; perRow: number } {
  let weights = runs.map(weightOf);
  let line = weightedLine(runs, weights);
  for (let round = 0; round < ROUNDS; round++) {
    const errors = runs.map(({ rows, ms }) => (line.fixed + line.perRow * rows) / ms - 1);
    weights = robustWeights(runs, errors);
    line = weightedLine(runs, weights);
  }
  return line;
}

/** Least squares of (fixed + perRow x rows) / ms - 1, neither part below 0. */
function weightedLine(runs: readonly MeanRun[], weights: readonly number[]): { fixed: number; perRow: number } {
  let [aa, ab, bb, a, b] = [0, 0, 0, 0, 0];
  runs.forEach(({ rows, ms }, i) => {
    const weight = weights[i] ?? 0;
    aa += weight / ms ** 2;
    ab += (weight * rows) / ms ** 2;
    bb += (weight * rows ** 2) / ms ** 2;
    a += weight / ms;
    b += (weight * rows) / ms;
  });
  const determinant = aa * bb - ab * ab;
  const proportional = { fixed: 0, perRow: b / bb };
  if (determinant <= 1e-9 * aa * bb) return proportional;
  const fixed = (a * bb - b * ab) / determinant;
  const perRow = (b * aa - a * ab) / determinant;
  if (fixed < 0) return proportional;
  return perRow < 0 ? { fixed: a / aa, perRow: 0 } : { fixed, perRow };
}

function robustMean(runs: readonly MeanRun[]): { ms: number; weight: number } {
  const middle = weightedMedian(runs.map((run) => ({ value: run.ms, weight: weightOf(run) })));
  const errors = runs.map(({ ms }) => ms / middle - 1);
  const weights = robustWeights(runs, errors);
  const weight = weights.reduce((sum, each) => sum + each, 0);
  return { ms: runs.reduce((sum, { ms }, i) => sum + ms * (weights[i] ?? 0), 0) / weight, weight };
}

/** More for more runs, less for those that lie further off than most (Huber). `errors`: relative, one for each of the runs. */
export function robustWeights(runs: readonly MeanRun[], errors: readonly number[]): number[] {
  const far = HUBER * scaleOf(errors);
  return runs.map((run, i) => weightOf(run) * Math.min(1, far / Math.max(Math.abs(errors[i] ?? 0), Number.EPSILON)));
}

/** Standard deviation as the median of the deviations tells it, for a normal distribution. */
function scaleOf(errors: readonly number[]): number {
  return Math.max(LEAST_SCALE, 1.4826 * weightedMedian(errors.map((error) => ({ value: Math.abs(error), weight: 1 }))));
}

/** The value at which half of the weight is reached; the mean of the two around it where both reach half exactly. */
export function weightedMedian(values: readonly { readonly value: number; readonly weight: number }[]): number {
  const sorted = [...values].sort((a, b) => a.value - b.value);
  const half = sorted.reduce((sum, { weight }) => sum + weight, 0) / 2;
  let sum = 0;
  for (const [i, { value, weight }] of sorted.entries()) {
    sum += weight;
    if (Math.abs(sum - half) <= 1e-9 * half) return (value + (sorted[i + 1]?.value ?? value)) / 2;
    if (sum > half) return value;
  }
  return sorted.at(-1)?.value ?? 0;
}

/** Isotonic regression: neighbours that fall are pooled to their weighted mean. */
function neverFalling(points: readonly { readonly rows: number; readonly ms: number; readonly weight: number }[]): CurvePoint[] {
  const blocks: { rows: number[]; ms: number; weight: number }[] = [];
  for (const { rows, ms, weight } of points) {
    let block = { rows: [rows], ms, weight };
    for (let before = blocks.at(-1); before !== undefined && before.ms > block.ms; before = blocks.at(-1)) {
      blocks.pop();
      const both = before.weight + block.weight;
      block = { rows: [...before.rows, ...block.rows], ms: (before.ms * before.weight + block.ms * block.weight) / both, weight: both };
    }
    blocks.push(block);
  }
  return blocks.flatMap(({ rows, ms }) => rows.map((each) => ({ rows: each, ms })));
}
