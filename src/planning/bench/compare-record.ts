/** The document of `penstock bench compare --json`: every run of every round, and the ratios; and its reader. */
import type { LoadResult } from '../load/load-generator.js';
import type { Figures } from './figures.js';
import type { JsonFields } from './json-fields.js';
import type { Machine, MeasuredModel, MeasuredServer, RunSettings, Versions } from './run-record.js';
import { readLoadResult, readMachine, readModel, readServer, readSettings, readVersions } from './run-record-reader.js';

export interface ComparedServer extends MeasuredServer {
  readonly model: MeasuredModel;
  /** How its answer to the request differs from that of the first server; null = it does not, or it is the first. */
  readonly differs: string | null;
}

export interface ComparedRun {
  /** Position in `servers`. */
  readonly server: number;
  /** Runs until one was not refused, at most three. */
  readonly attempts: number;
  /** The last of them. */
  readonly result: LoadResult;
}

export interface Ratios extends Figures {
  /** Position in `servers`; the first is divided by this one. */
  readonly against: number;
  /** Rounds in which neither of the two was refused. */
  readonly rounds: number;
}

export interface CompareRecord {
  readonly kind: 'bench compare';
  /** ISO 8601. */
  readonly taken: string;
  readonly versions: Versions;
  readonly machine: Machine;
  /** Of the first round; the seed of arrivals grows by one with each. */
  readonly settings: RunSettings;
  /** Ours first. */
  readonly servers: readonly ComparedServer[];
  /** Rounds asked for; fewer are there when the comparison was stopped. */
  readonly rounds_wanted: number;
  /** In each, the runs in their order. */
  readonly rounds: readonly (readonly ComparedRun[])[];
  /** Why it ended early; null = it did not. */
  readonly stopped: string | null;
  readonly ratios: readonly Ratios[];
}

/** The rounds in which the first server and `against` both have a whole run that was not refused. */
export function goodPairs(
  rounds: readonly (readonly ComparedRun[])[],
  against: number,
): readonly { readonly ours: LoadResult; readonly theirs: LoadResult }[] {
  return rounds.flatMap((runs) => {
    const [ours, theirs] = [0, against].map((server) => runs.find((run) => run.server === server)?.result);
    return isGood(ours) && isGood(theirs) ? [{ ours, theirs }] : [];
  });
}

function isGood(result: LoadResult | undefined): result is LoadResult {
  return result !== undefined && result.refused === null && result.complete;
}

/** Throws `OptionsError`, which names the field that is not as expected. Ratios are left out: they follow from the rounds. */
export function readCompareRecord(fields: JsonFields): Omit<CompareRecord, 'ratios'> {
  return {
    kind: fields.choice('kind', ['bench compare']),
    taken: fields.text('taken'),
    versions: readVersions(fields.fields('versions')),
    machine: readMachine(fields.fields('machine')),
    settings: readSettings(fields.fields('settings')),
    servers: fields.list('servers').map((server) => ({
      ...readServer(server),
      model: readModel(server.fields('model')),
      differs: server.textOrNull('differs'),
    })),
    rounds_wanted: fields.number('rounds_wanted'),
    rounds: fields.lists('rounds').map((runs) => runs.map(readRun)),
    stopped: fields.textOrNull('stopped'),
  };
}

function readRun(fields: JsonFields): ComparedRun {
  return { server: fields.number('server'), attempts: fields.number('attempts'), result: readLoadResult(fields.fields('result')) };
}
