/** `penstock bench`: measures a model on a running server; and its subcommands. */
import { EXIT_OK, EXIT_REFUSED, EXIT_TRY_AGAIN, exitCodeOfSignal } from '../lifecycle/exit-codes.js';
import type { ShutdownSignals } from '../lifecycle/shutdown-signals.js';
import { loadBenchOptions } from '../planning/bench/bench-options.js';
import { benchTable } from '../planning/bench/bench-report.js';
import { runRecord } from '../planning/bench/run-record.js';
import { runLoad } from '../planning/load/load-generator.js';
import { findTarget } from '../planning/load/find-target.js';
import { writeWholeFile } from '../planning/whole-file.js';
import { benchDiff } from './bench-diff.js';

/**
 * Writes the table to `write`, progress to stderr. Resolves with the exit code. A signal ends the run early; what there is by then is written
 * all the same. Throws `OptionsError`.
 */
export async function bench(args: readonly string[], write: (text: string) => void, signals: ShutdownSignals): Promise<number> {
  const [first, ...rest] = args;
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
  if (options.json !== '' && !save(options.json, runRecord(options, target, result, takenAt))) return EXIT_REFUSED;
  if (stop.signal.aborted) return stoppedWith;
  return result.refused === null ? EXIT_OK : EXIT_TRY_AGAIN;
}

function save(path: string, record: unknown): boolean {
  try {
    writeWholeFile(path, `${JSON.stringify(record, null, 2)}\n`);
    return true;
  } catch (thrown) {
    process.stderr.write(`penstock: --json: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    return false;
  }
}
