/** Tells changes between two sets of runs from noise. */
import type { Estimate } from '../estimate.js';
import { change, isFromRuns } from './change.js';
import type { DiffInput } from './diff-input.js';
import { FIGURES, KINDS, shownChange, shownMean, type FigureName, type Figures } from './figures.js';
import { textTable } from './text-table.js';

/** So that all figures together give a false alarm in 5 % of the cases at most (Bonferroni). */
const CONFIDENCE = 1 - 0.05 / FIGURES.length;

export interface FigureChange {
  readonly figure: FigureName;
  readonly change: Estimate | null;
  readonly verdict: 'better' | 'worse' | 'no difference shown' | 'cannot be told';
  /** Worse by more than the tolerance. */
  readonly isBeyondTolerance: boolean;
}

/** `tolerance`: a share; misses have none. */
export function diffFigures(before: readonly Figures[], after: readonly Figures[], tolerance: number): readonly FigureChange[] {
  return FIGURES.map((figure) => {
    const { scale, isBetterLower } = KINDS[figure];
    const [old, young] = [before, after].map((runs) => runs.map((run) => run[figure])) as [(Estimate | null)[], (Estimate | null)[]];
    const found = change(old, young, scale, CONFIDENCE);
    if (found === null) return { figure, change: null, verdict: 'cannot be told', isBeyondTolerance: false };
    const none = scale === 'quotient' ? 1 : 0;
    const isHigher = found.low > none;
    if (!isHigher && found.high >= none) return { figure, change: found, verdict: 'no difference shown', isBeyondTolerance: false };
    const isWorse = isHigher === isBetterLower;
    const isBeyondTolerance = isWorse && (scale === 'difference' || Math.abs(found.value - 1) > tolerance);
    return { figure, change: found, verdict: isWorse ? 'worse' : 'better', isBeyondTolerance };
  });
}

export function diffTable(
  { kind, subject, before, after, warnings }: DiffInput,
  changes: readonly FigureChange[],
  tolerance: number,
): string {
  const rows = changes.map(({ figure, change: found, verdict, isBeyondTolerance }) => [
    KINDS[figure].label,
    shownMean(before, figure, kind === 'bench compare'),
    shownMean(after, figure, kind === 'bench compare'),
    shownChange(found, KINDS[figure].scale),
    isBeyondTolerance
      ? verdict.toUpperCase()
      : verdict === 'worse'
        ? `worse, but not by more than ${Number((100 * tolerance).toPrecision(12))} %`
        : verdict,
  ]);
  return [
    `${subject}: ${counted(before, kind)} before, ${counted(after, kind)} after`,
    ...warnings.map((warning) => `warning: ${warning}`),
    '',
    ...textTable([['', 'before', 'after', 'change (interval)', ''], ...rows]),
    '',
    isFromRuns(before, after)
      ? 'intervals: from the scatter of the runs; all together hold with 95 % confidence'
      : 'intervals: from the noise within the runs only, which is less than that between runs; give three runs or more of each side',
  ].join('\n');
}

function counted(runs: readonly Figures[], kind: DiffInput['kind']): string {
  return `${runs.length} ${kind === 'bench' ? 'run' : 'round'}${runs.length === 1 ? '' : 's'}`;
}
