/** The flags of `penstock bench compare`. */
import { OptionsError } from '../../config/load.js';
import { readFlags } from '../flags.js';
import { FLAGS as BENCH_FLAGS, readBenchFlags, readUrl, type BenchOptions } from './bench-options.js';
import { LEAST_RUNS } from './change.js';

export interface CompareOptions extends BenchOptions {
  readonly against: readonly { readonly url: URL; readonly model: string; readonly modelVersion: string }[];
  readonly rounds: number;
}

const many = { type: 'string', multiple: true, default: [] as string[] } as const;
const FLAGS = {
  ...BENCH_FLAGS,
  against: many,
  'against-model': many,
  'against-version': many,
  rounds: { type: 'string', default: '5' },
} as const;

const MAX_ROUNDS = 1000;
const MAX_AGAINST = 16;

export function compareHelp(): string {
  return `usage: penstock bench compare --url OURS --against URL [--against URL ...] --model NAME --rate R --duration S [flags]

Sends the same requests at the same moments to several KServe V2 servers, in turns, and says by what factor the first differs from each of
the others, with the interval in which the true one lies with 95 % confidence. A round is one run against each server; who begins changes
from round to round. First the answers to the request are compared: names, shapes and values.

  --url URL               of the first server [default: http://127.0.0.1:8000]
  --against URL           of another; its path comes before that of the protocol; may be given several times
  --against-model NAME    what the model is called there: one for all, or one for each --against [default: as --model]
  --against-version V     likewise [default: as --model-version]
  --rounds N              from ${LEAST_RUNS} good ones on there is an interval; fewer compare the answers [default: ${FLAGS.rounds.default}]
  --json-tensors          tensors as JSON; chosen without it, for all, when one of the servers does not take binary ones
  --json FILE             all runs, with machine, versions and settings

All other flags are those of penstock bench, for each run, over HTTP. The seed of the arrivals is --seed in the first round and one more in each after it.
A run in which the generator was late itself is repeated, twice at most. Rounds that are still late do not count.

exit codes: 0 measured, 1 the answers differ (table and FILE are as ever), 64 bad usage, no such server or model, 73 FILE cannot be written,
            75 ended early, or fewer than ${LEAST_RUNS} good rounds, 130 or 143 ended by SIGINT (Ctrl-C) or SIGTERM`;
}

/** `args`: what follows "compare". Throws `OptionsError` with everything that is wrong. */
export function loadCompareOptions(args: readonly string[]): CompareOptions {
  const { values } = readFlags(args, FLAGS, 'bench compare');
  const faults: string[] = [];
  const bench = readBenchFlags(values, faults);
  const { against: urls, rounds } = values;
  if ([bench.url.href, ...urls].some((url) => url.startsWith('grpc:'))) faults.push('--protocol: servers are compared over HTTP only');
  if (urls.length === 0) faults.push('--against is missing: the address of the server to compare with');
  if (urls.includes('')) faults.push('--against: the address is empty');
  if (urls.length > MAX_AGAINST) faults.push(`--against: at most ${MAX_AGAINST} are compared, found ${urls.length}`);
  const isCount = /^\d+$/.test(rounds) && Number(rounds) >= 1 && Number(rounds) <= MAX_ROUNDS;
  if (!isCount) faults.push(`--rounds: "${rounds}" is not a whole number from 1 to ${MAX_ROUNDS}`);
  const models = oneForEach('against-model', values['against-model'], urls.length, bench.model, faults);
  const versions = oneForEach('against-version', values['against-version'], urls.length, bench.modelVersion, faults);
  const against = urls.map((given, i) => ({
    url: readUrl('against', given, 'http', faults),
    model: models[i] ?? bench.model,
    modelVersion: versions[i] ?? bench.modelVersion,
  }));
  if (faults.length > 0) throw new OptionsError(faults);
  return { ...bench, against, rounds: Number(rounds) };
}

function oneForEach(flag: string, given: readonly string[], count: number, otherwise: string, faults: string[]): readonly string[] {
  if (given.length > 1 && given.length !== count) {
    faults.push(`--${flag}: expected one, or one for each --against, which are ${count}; found ${given.length}`);
  }
  return given.length === count ? given : Array.from({ length: count }, () => given[0] ?? otherwise);
}
