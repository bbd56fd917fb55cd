/** `penstock bench diff`: tells changes between results of `penstock bench` from noise. */
import { EXIT_FOUND, EXIT_OK } from '../lifecycle/exit-codes.js';
import { readDiffInput } from '../planning/bench/diff-input.js';
import { loadDiffOptions } from '../planning/bench/diff-options.js';
import { diffFigures, diffTable } from '../planning/bench/diff.js';

/** Writes the table to `write`. Returns the exit code. Throws `OptionsError`. */
export function benchDiff(args: readonly string[], write: (text: string) => void): number {
  const { before, after, tolerance, force } = loadDiffOptions(args);
  const input = readDiffInput(before, after, force);
  const changes = diffFigures(input.before, input.after, tolerance);
  write(diffTable(input, changes, tolerance));
  return changes.some(({ isBeyondTolerance }) => isBeyondTolerance) ? EXIT_FOUND : EXIT_OK;
}
