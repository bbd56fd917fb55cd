/** `penstock bench compare`: the same load against several servers, in turns. */
import { EXIT_FOUND, EXIT_OK, EXIT_REFUSED, EXIT_TRY_AGAIN, exitCodeOfSignal } from '../lifecycle/exit-codes.js';
import type { ShutdownSignals } from '../lifecycle/shutdown-signals.js';
import { LEAST_RUNS } from '../planning/bench/change.js';
import { loadCompareOptions } from '../planning/bench/compare-options.js';
import { compareRecord, compareTable } from '../planning/bench/compare-report.js';
import { runRounds, type RunOnce } from '../planning/bench/compare-rounds.js';
import { findContenders } from '../planning/bench/contenders.js';
import { saveResult } from '../planning/bench/result-file.js';
import { runLoad } from '../planning/load/load-generator.js';

/**
 * Writes the table to `write`, progress to stderr. Resolves with the exit code. A comparison that a signal, the end of a server or any other
 * failure cuts short is written all the same. Throws `OptionsError`.
 */
export async function benchCompare(args: readonly string[], write: (text: string) => void, signals: ShutdownSignals): Promise<number> {
  const options = loadCompareOptions(args);
  const stop = new AbortController();
  let stoppedWith: number = EXIT_OK;
  const stopped = signals.first.then((signal) => {
    stoppedWith = exitCodeOfSignal(signal);
    stop.abort();
  });
  const contenders = await Promise.race([findContenders(options), stopped]);
  if (contenders === undefined) return stoppedWith;
  const all = [contenders.ours, ...contenders.others];
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const run: RunOnce = async (server, round, attempt) => {
    const contender = all[server] ?? contenders.ours;
    say(`round ${round + 1} of ${options.rounds}: ${contender.load.url.href}${attempt > 1 ? ', again: the generator was late' : ''}`);
    return runLoad({ ...contender.load, seed: options.seed + round }, contender.target, stop.signal, say);
  };
  const takenAt = new Date();
  const course = await runRounds(
    all.map(({ load }) => load.url.href),
    options.rounds,
    run,
  );
  const record = compareRecord(options, contenders, course, takenAt);
  write(compareTable(record, contenders.whyJson));
  if (options.json !== '' && !saveResult(options.json, record)) return EXIT_REFUSED;
  if (stop.signal.aborted) return stoppedWith;
  // Another run would not change this.
  if (record.servers.some(({ differs }) => differs !== null)) return EXIT_FOUND;
  const hasTooFew = record.ratios.some(({ rounds }) => rounds < LEAST_RUNS);
  return course.stopped !== null || hasTooFew ? EXIT_TRY_AGAIN : EXIT_OK;
}
