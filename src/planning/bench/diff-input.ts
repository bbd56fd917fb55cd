/** What `penstock bench diff` reads: the figures of every run of the two sides, and whether they may be compared. */
import { OptionsError } from '../../config/load.js';
import { changeOfOne } from './change.js';
import { goodPairs, readCompareRecord, type CompareRecord } from './compare-record.js';
import { FIGURES, figuresOf, KINDS, type Figures } from './figures.js';
import { JsonFields } from './json-fields.js';
import type { RunRecord } from './run-record.js';
import { readRunRecord } from './run-record-reader.js';

type Result = RunRecord | Omit<CompareRecord, 'ratios'>;

export interface DiffInput {
  readonly kind: Result['kind'];
  /** What the figures are of. */
  readonly subject: string;
  readonly before: readonly Figures[];
  readonly after: readonly Figures[];
  readonly warnings: readonly string[];
}

/** Throws `OptionsError` for files that are no results and, without `force`, for settings that differ. */
export function readDiffInput(beforeFiles: readonly string[], afterFiles: readonly string[], force: boolean): DiffInput {
  const files = [...beforeFiles, ...afterFiles];
  const results = files.map((file) => readResult(file));
  const [first] = results;
  const [firstFile = ''] = files;
  if (first === undefined) throw new OptionsError(['no result is given']);
  const settings: string[] = [];
  const surroundings: string[] = [];
  results.forEach((result, i) => {
    const file = files[i] ?? '';
    if (result.kind !== first.kind)
      throw new OptionsError([`${file}: kind: expected "${first.kind}" as ${firstFile} has, found "${result.kind}"`]);
    if (i === 0) return;
    settings.push(...differences(settingsOf(first), settingsOf(result)).map((text) => `${file}: ${text} in ${firstFile}`));
    surroundings.push(...differences(surroundingsOf(first), surroundingsOf(result)).map((text) => `${file}: ${text} in ${firstFile}`));
  });
  if (settings.length > 0 && !force) throw new OptionsError([...settings, 'the settings differ; --force compares all the same']);
  const before = results.slice(0, beforeFiles.length);
  const after = results.slice(beforeFiles.length);
  const seeds = [before, after].map((side) =>
    side
      .map((result) => result.settings.seed)
      .sort((a, b) => a - b)
      .join(','),
  );
  const seedWarning = seeds[0] === seeds[1] ? [] : [`settings.seed: ${seeds[0]} before, ${seeds[1]} after`];
  return {
    kind: first.kind,
    subject: subjectOf(first),
    before: before.flatMap(figuresOfResult),
    after: after.flatMap(figuresOfResult),
    warnings: [...settings, ...seedWarning, ...surroundings],
  };
}

function readResult(file: string): Result {
  const fields = JsonFields.ofFile(file);
  const kind = fields.choice('kind', ['bench', 'bench compare']);
  if (kind === 'bench') {
    const record = readRunRecord(fields);
    const { refused, complete } = record.result;
    if (refused !== null) throw new OptionsError([`${file}: result.refused: expected null, found ${JSON.stringify(refused)}`]);
    if (!complete) throw new OptionsError([`${file}: result.complete: expected true, found false: the run was stopped`]);
    return record;
  }
  const record = readCompareRecord(fields);
  if (record.servers.length < 2) throw new OptionsError([`${file}: servers: expected two or more, found ${record.servers.length}`]);
  if (goodPairs(record.rounds, 1).length === 0) throw new OptionsError([`${file}: rounds: expected one that was not refused, found none`]);
  return record;
}

function figuresOfResult(result: Result): readonly Figures[] {
  if (result.kind === 'bench') return [figuresOf(result.result)];
  return goodPairs(result.rounds, 1).map(({ ours, theirs }) => {
    const [above, below] = [figuresOf(ours), figuresOf(theirs)];
    return Object.fromEntries(
      FIGURES.map((name) => [name, changeOfOne(below[name], above[name], KINDS[name].scale)]),
    ) as unknown as Figures;
  });
}

function subjectOf(result: Result): string {
  if (result.kind === 'bench') return `${result.model.name} of ${result.server.name} ${result.server.version}`;
  const [ours, theirs] = result.servers;
  return `${ours?.model.name} of ${ours?.name} ${ours?.version}, ratio to ${theirs?.name} ${theirs?.version}`;
}

type Facts = Readonly<Record<string, unknown>>;

/** What must be the same. Seeds may differ: several runs of one side should have several. */
function settingsOf(result: Result): Facts {
  const model = result.kind === 'bench' ? result.model : result.servers[0]?.model;
  return {
    ...prefixed('settings', { ...result.settings, seed: undefined }),
    'model.name': model?.name,
    'model.version': model?.version,
    'model.input_shapes': model?.input_shapes,
    ...(result.kind === 'bench' ? {} : { 'servers[1].name': result.servers[1]?.name }),
  };
}

/** What is worth knowing when it is not the same. */
function surroundingsOf(result: Result): Facts {
  const servers = result.kind === 'bench' ? [result.server] : result.servers;
  return {
    ...prefixed('machine', result.machine),
    ...prefixed('versions', result.versions),
    ...Object.fromEntries(servers.flatMap(({ name, version }, i) => Object.entries(prefixed(`server ${i + 1}`, { name, version })))),
  };
}

function prefixed(prefix: string, facts: object): Facts {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [`${prefix}.${name}`, value]));
}

function differences(expected: Facts, found: Facts): readonly string[] {
  return Object.keys({ ...expected, ...found }).flatMap((name) => {
    const [here, there] = [JSON.stringify(found[name]), JSON.stringify(expected[name])];
    return here === there ? [] : [`${name}: ${here}, but ${there}`];
  });
}
