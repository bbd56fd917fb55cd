/**
 * Cells of a machine that is shared, which changes its speed from minute to minute: nobody predicts that. So a bare run of the model is timed
 * before and after each cell. Where the two differ, the cell proves nothing and is measured once more; where cells differ, the trials of the
 * others are put on the clock of the cell that is predicted: all their times longer, all their rates lower by the same factor.
 */
import { modelFile } from './models.mjs';
import { bareRun } from './processes.mjs';

const BARE_SECONDS = 2;
/** Between the bare runs before a cell and those after it. */
const MOST_SPEED_CHANGE = 0.05;

const bareRunUs = ({ name }) => bareRun(modelFile(name), { threads: 1, batch: 1, seconds: BARE_SECONDS }).medianUs;

/** What `measure` gives, with `bareRunsUs`. */
export async function betweenBareRuns(model, say, measure) {
  say('bare runs');
  const before = bareRunUs(model);
  const measured = await measure();
  say('bare runs');
  return { ...measured, bareRunsUs: { before, after: bareRunUs(model) } };
}

/** Whether the machine was as fast after the cell as before it. */
export function isOfOneSpeed({ bareRunsUs: { before, after } }) {
  return Math.max(before, after) / Math.min(before, after) - 1 <= MOST_SPEED_CHANGE;
}

/** The cell as it would have been measured when `other` was. */
export function onClockOf(other, cell) {
  const middle = ({ bareRunsUs: { before, after } }) => (before + after) / 2;
  const factor = middle(other) / middle(cell);
  return { ...cell, trials: cell.trials.map((trial) => slowedBy(factor, trial)) };
}

/** What the trials hold says in its name what it is: milliseconds, or a rate a second. */
function slowedBy(factor, value, unit = 1) {
  if (typeof value === 'number') return value * factor ** unit;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => slowedBy(factor, each, unit));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, within(factor, name, each, unit)]));
}

function within(factor, name, value, unit) {
  if (name === 'settings') return value;
  if (/(_ms|Ms)$/.test(name)) return slowedBy(factor, value, 1);
  if (/^rate/.test(name)) return slowedBy(factor, value, -1);
  return typeof value === 'object' || ['value', 'low', 'high'].includes(name) ? slowedBy(factor, value, unit) : value;
}
