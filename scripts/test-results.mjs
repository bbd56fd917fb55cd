/** Counting tests, and the table at the end of `npm test`. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { root } from './processes.mjs';

/** Path of a machine-readable report below build/; an older one is removed. */
export function reportPath(name) {
  const folder = path.join(root, 'build', 'test-results');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, name);
  rmSync(file, { force: true });
  return file;
}

/** The count of something that either holds or does not. */
export const verdict = (holds) => ({ passed: holds ? 1 : 0, failed: holds ? 0 : 1 });

/** A run that failed without naming a failed test (it crashed, leaked, or never started) counts as one failure. */
function withExitCode(counts, code) {
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

export function readVitestReport(file, code) {
  const report = readJson(file);
  if (report === undefined) return { passed: 0, failed: 1 };
  const skipped = report.numPendingTests + report.numTodoTests;
  return withExitCode({ passed: report.numPassedTests, failed: report.numFailedTests, skipped }, code);
}

export function readGoogleTestReport(file, code) {
  const report = readJson(file);
  if (report === undefined) return { passed: 0, failed: 1 };
  const cases = report.testsuites.flatMap((suite) => suite.testsuite);
  const skipped = cases.filter((one) => one.status === 'NOTRUN' || one.result === 'SKIPPED').length;
  return withExitCode({ passed: report.tests - report.failures - skipped, failed: report.failures, skipped }, code);
}

export function addCounts(all) {
  const sum = (key) => all.reduce((total, counts) => total + (counts[key] ?? 0), 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

function row(name, { passed, failed, skipped, note }, time) {
  const cells = [name.padEnd(14), ...[passed, failed, skipped].map((count) => String(count ?? 0).padStart(7)), time.padStart(9)];
  return `${cells.join(' ')}${note ? `  ${note}` : ''}`;
}

/** Results (`{ name, seconds, passed, failed, skipped?, note? }`) as text; the last line is `N passed, N failed`. */
export function summary(results) {
  const { passed, failed } = addCounts(results);
  const head = `${'suite'.padEnd(14)} ${['passed', 'failed', 'skipped'].map((word) => word.padStart(7)).join(' ')} ${'time'.padStart(9)}`;
  const rows = results.map((result) => row(result.name, result, `${result.seconds.toFixed(1)} s`));
  return ['', head, ...rows, '', `${passed} passed, ${failed} failed`, ''].join('\n');
}
