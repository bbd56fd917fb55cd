/** The history of the guard's ratios, one JSON document a line, and what in it is a fall beyond noise. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { median } from './record.mjs';

/** Of the entries that are judged, and of those that others are judged by: fewer scatter more. */
export const STANDARD_ROUNDS = 5;

/**
 * An entry is compared with the last so many, for a sudden fall, and with the first so many, for a slow one; not at all with fewer than the
 * least.
 */
const WINDOW = 10;
export const LEAST_ENTRIES = 5;

/** A fall is beyond noise at so many standard deviations, which for normal noise are 1.4826 times the median absolute deviation ... */
const DEVIATIONS = 4.5;
const MAD_TO_DEVIATION = 1.4826;
/** ... and by this share at least: a few entries may agree by chance. */
const LEAST_FALL = 0.05;

/** Share of the machine that other programs had; more and a run says nothing of ours. */
export const MOST_BUSY = 0.1;

export const isQuiet = ({ busyShare }) => busyShare <= MOST_BUSY;
const isStandard = (entry) => isQuiet(entry) && entry.rounds === STANDARD_ROUNDS;
const kindOf = ({ machine: { cpu, cores } }) => `${cpu}, ${cores} cores`;

/** Entries of the same machine kind as `entry`. */
export const ofSameKind = (entries, entry) => entries.filter((other) => kindOf(other) === kindOf(entry));

/** Oldest first. Throws for a line that is no entry, with its number. */
export function readHistory(file) {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return [];
    const fault = (what) => new Error(`${file}, line ${i + 1}: ${what}`);
    let entry;
    try {
      entry = JSON.parse(line);
    } catch {
      throw fault('is not JSON');
    }
    if (!isObject(entry) || !isObject(entry.machine) || !isObject(entry.ratios)) throw fault('expected an object with ratios and machine');
    for (const [name, ratio] of Object.entries(entry.ratios)) {
      if (![ratio?.median, ratio?.low, ratio?.high].every(Number.isFinite)) throw fault(`${name}: expected median, low and high`);
    }
    return [entry];
  });
}

const isObject = (value) => typeof value === 'object' && value !== null;

export function appendHistory(file, entry) {
  mkdirSync(path.dirname(file), { recursive: true });
  appendFileSync(file, `${JSON.stringify(entry)}\n`);
}

/** From the newest entry on, what fell in it is the level that others are compared with. Returns the names; none = nothing had fallen. */
export function acceptNewest(file) {
  const entries = readHistory(file);
  const newest = entries.at(-1);
  const names = (newest?.fallen ?? []).filter((name) => !newest.accepted?.includes(name));
  if (names.length > 0) {
    newest.accepted = [...(newest.accepted ?? []), ...names];
    writeFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  }
  return names;
}

/**
 * {compared: entries it was compared with, fallen: [{name, value, usual, limit, against}], why}; compared is 0 when nothing can be concluded,
 * for the reason `why`.
 */
export function judge(entry, history) {
  const nothing = (why) => ({ compared: 0, fallen: [], why });
  if (!isQuiet(entry)) {
    const busy = Math.round(100 * entry.busyShare);
    return nothing(`other programs had ${busy} % of the machine, expected ${100 * MOST_BUSY} % at most`);
  }
  if (entry.rounds !== STANDARD_ROUNDS)
    return nothing(`only entries of ${STANDARD_ROUNDS} rounds are compared, and this one has ${entry.rounds}`);
  const known = ofSameKind(history, entry).filter(isStandard);
  if (known.length < LEAST_ENTRIES)
    return nothing(`${LEAST_ENTRIES} quiet entries of this machine kind are needed, there are ${known.length}`);
  const fallen = Object.entries(entry.ratios).flatMap(([name, { median: value }]) => {
    const values = levelOf(known, name);
    const sides = [
      { against: 'last', values: values.slice(-WINDOW) },
      { against: 'first', values: values.slice(0, WINDOW) },
    ];
    // One of them is enough.
    return sides
      .flatMap((side) => fallBelow(side.values, value).map((fall) => ({ name, value, ...fall, against: side.against })))
      .slice(0, 1);
  });
  return { compared: known.length, fallen, why: null };
}

/** Values of a ratio that count: since its last accepted fall, and without those that fell and were not accepted. */
function levelOf(entries, name) {
  const from = entries.findLastIndex(({ accepted = [] }) => accepted.includes(name));
  const counted = entries
    .slice(Math.max(0, from))
    .filter(({ fallen = [], accepted = [] }) => !fallen.includes(name) || accepted.includes(name));
  return counted.flatMap(({ ratios }) => ratios[name]?.median ?? []);
}

/** [] = it is not below them by more than their noise. */
function fallBelow(values, value) {
  if (values.length < LEAST_ENTRIES) return [];
  const usual = median(values);
  const deviation = MAD_TO_DEVIATION * median(values.map((other) => Math.abs(other - usual)));
  const limit = usual - Math.max(DEVIATIONS * deviation, LEAST_FALL * usual);
  return value < limit ? [{ usual, limit: Number(limit.toPrecision(4)) }] : [];
}
