/**
 * Draws the history of the regression guard, on the machine kind of its newest entry.
 * Usage: node bench/trend.mjs [guard-history.jsonl [guard-trend.svg]]
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ofSameKind, readHistory } from './measure/guard-history.mjs';
import { root } from './measure/record.mjs';
import { trendSvg } from './measure/trend-svg.mjs';

const results = path.join(root, 'bench/results');
const [history = path.join(results, 'guard-history.jsonl'), plot = path.join(results, 'guard-trend.svg')] = process.argv.slice(2);
try {
  const entries = readHistory(history);
  const newest = entries.at(-1);
  if (newest === undefined) throw new Error(`${history} has no entry: npm run bench -- guard makes one`);
  writeFileSync(plot, trendSvg(ofSameKind(entries, newest)));
  console.log(`drawn in ${path.relative('', plot)}`);
} catch (thrown) {
  console.error(thrown.message);
  process.exitCode = 64;
}
