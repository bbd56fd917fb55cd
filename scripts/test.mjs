/**
 * `npm test [-- suite ...]`: installs and builds what is stale, runs every suite that this machine can run, and names each one left out
 * with the package it lacks. With CI=true a suite left out is a failure. The last line is `N passed, N failed`.
 */
import process from 'node:process';
import { ensureBuilt, ensureInstalled } from './build-steps.mjs';
import { Failure, main, say, seconds } from './processes.mjs';
import { summary } from './test-results.mjs';
import { suites } from './test-suites.mjs';

const EXIT_USAGE = 64;
const leftOutIsFailure = process.env.CI === 'true';

function chosen(names) {
  const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    throw new Failure(EXIT_USAGE, `There is no suite ${unknown.join(', ')}; there are: ${suites.map(({ name }) => name).join(', ')}.`);
  }
  return names.length === 0 ? suites : suites.filter(({ name }) => names.includes(name));
}

async function timed(name, body) {
  const start = performance.now();
  say(`${name} ...`);
  const counts = await body();
  say(`${name}: ${counts.failed > 0 ? 'FAILED' : (counts.note ?? 'passed')} in ${seconds(start)}`);
  return { name, seconds: (performance.now() - start) / 1000, ...counts };
}

/** Begins what can be done for suites before their turn, one after the other. By suite: what it lacks, or why it cannot run, or neither. */
function prepared(selected) {
  let last = Promise.resolve();
  const preparations = new Map();
  for (const suite of selected.filter(({ prepare }) => prepare !== undefined)) {
    last = last.then(async () => {
      try {
        const lacks = await suite.missing?.();
        return { lacks, fault: lacks === undefined ? await suite.prepare() : undefined };
      } catch (thrown) {
        return { fault: thrown.message };
      }
    });
    preparations.set(suite, last);
  }
  return preparations;
}

async function runSuite(suite, preparations) {
  // It may measure, so it waits for those that are prepared for others, too.
  if (preparations.has(suite)) await Promise.all(preparations.values());
  const { lacks, fault } = preparations.has(suite) ? await preparations.get(suite) : { lacks: await suite.missing?.() };
  if (fault !== undefined) return { passed: 0, failed: 1, note: fault };
  if (lacks === undefined) return suite.run();
  say(`${suite.name} is left out; it lacks ${lacks}`);
  return { passed: 0, failed: leftOutIsFailure ? 1 : 0, note: `left out: lacks ${lacks}` };
}

/** Builds for the suites that need it. A tree that does not build fails, but what needs no build still runs. */
async function build() {
  try {
    await ensureBuilt();
    return { passed: 1, failed: 0 };
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    for (const line of thrown.message.split('\n')) say(line);
    return { passed: 0, failed: 1, note: thrown.message };
  }
}

await main(async () => {
  const selected = chosen(process.argv.slice(2));
  await ensureInstalled();
  const results = [];
  let isBuilt = false;
  if (selected.some((suite) => suite.needsBuild)) {
    results.push(await timed('build', build));
    isBuilt = results[0].failed === 0;
  }
  let preparations = new Map();
  const result = (suite) => {
    const body =
      suite.needsBuild && !isBuilt
        ? () => ({ passed: 0, failed: 1, note: 'needs the build, which failed' })
        : () => runSuite(suite, preparations);
    return timed(suite.name, body);
  };
  // Those that would leave a core idle share the machine; the others, some of which measure, share it with compilers that take
  // what is idle.
  results.push(...(await Promise.all(selected.filter(({ sharesCores }) => sharesCores).map(result))));
  preparations = prepared(selected);
  for (const suite of selected.filter(({ sharesCores }) => !sharesCores)) results.push(await result(suite));
  process.stdout.write(summary(results));
  return results.some(({ failed }) => failed > 0) ? 1 : 0;
});
