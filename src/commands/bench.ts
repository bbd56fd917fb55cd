/** `penstock bench`: measures a model on a running server; and its subcommands. */
import { EXIT_OK, EXIT_REFUSED, EXIT_TRY_AGAIN, exitCodeOfSignal } from '../lifecycle/exit-codes.js';
import type { ShutdownSignals } from '../lifecycle/shutdown-signals.js';
import { benchHelp, loadBenchOptions } from '../planning/bench/bench-options.js';
import { benchTable } from '../planning/bench/bench-report.js';
import { compareHelp } from '../planning/bench/compare-options.js';
import { diffHelp } from '../planning/bench/diff-options.js';
import { runRecord } from '../planning/bench/run-record.js';
import { saveResult } from '../planning/bench/result-file.js';
import { runLoad } from '../planning/load/load-generator.js';
import { findTarget } from '../planning/load/find-target.js';
import { benchCompare } from './bench-compare.js';
import { benchDiff } from './bench-diff.js';

/**
 * Writes the table to `write`, progress to stderr. Resolves with the exit code. A signal ends the run early; what there is by then is written
 * all the same. Throws `OptionsError`.
 */
export async function bench(args: readonly string[], write: (text: string) => void, signals: ShutdownSignals): Promise<number> {
  const [first, ...rest] = args;
  if (first === 'compare') return benchCompare(rest, write, signals);
  if (first === 'diff') return benchDiff(rest, write);
  const options = loadBenchOptions(args);
  const stop = new AbortController();
  let stoppedWith: number = EXIT_OK;
  const stopped = signals.first.then((signal) => {
    stoppedWith = exitCodeOfSignal(signal);
    stop.abort();
  });
  const target = await Promise.race([findTarget(options, options.jsonTensors), stopped]);
  if (target === undefined) return stoppedWith;
  const takenAt = new Date();
  const result = await runLoad(options, target, stop.signal, (line) => void process.stderr.write(`${line}\n`));
  if (result === undefined) return stoppedWith;
  write(benchTable(options, target, result));
  if (options.json !== '' && !saveResult(options.json, runRecord(options, target, result, takenAt))) return EXIT_REFUSED;
  if (stop.signal.aborted) return stoppedWith;
  return result.refused === null ? EXIT_OK : EXIT_TRY_AGAIN;
}

/** `args`: what follows "bench". */
export function benchHelpOf(args: readonly string[]): string {
  if (args[0] === 'compare') return compareHelp();
  return args[0] === 'diff' ? diffHelp() : benchHelp();
}
