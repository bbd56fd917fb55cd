/** The history of the guard's ratios, one JSON document a line, and what in it is a fall beyond noise. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { median } from './record.mjs';

/** Noise is judged by the last so many quiet entries of the machine kind, and not at all with fewer than the least. */
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
    if (typeof entry?.ratios !== 'object' || typeof entry.machine !== 'object') throw fault('expected an object with ratios and machine');
    return [entry];
  });
}

export function appendHistory(file, entry) {
  mkdirSync(path.dirname(file), { recursive: true });
  appendFileSync(file, `${JSON.stringify(entry)}\n`);
}

/** {compared: entries it was compared with, fallen: [{name, value, usual, limit}]}; compared is 0 when there are too few. */
export function judge(entry, history) {
  const known = ofSameKind(history, entry).filter(isQuiet).slice(-WINDOW);
  if (known.length < LEAST_ENTRIES) return { compared: 0, fallen: [] };
  const fallen = Object.entries(entry.ratios).flatMap(([name, { median: value }]) => {
    const values = known.flatMap(({ ratios }) => ratios[name]?.median ?? []);
    if (values.length < LEAST_ENTRIES) return [];
    const usual = median(values);
    const deviation = MAD_TO_DEVIATION * median(values.map((other) => Math.abs(other - usual)));
    const limit = usual - Math.max(DEVIATIONS * deviation, LEAST_FALL * usual);
    return value < limit ? [{ name, value, usual, limit: Number(limit.toPrecision(4)) }] : [];
  });
  return { compared: known.length, fallen };
}
