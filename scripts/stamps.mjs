/** Has anything changed since a build step last succeeded? Answered by content, so that checkouts, copies and clocks do not matter. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root } from './processes.mjs';

const stampFolder = path.join(root, 'build', 'stamps');

/** Files below `folder` (relative to the root) whose relative path `wanted` accepts, sorted; a missing folder has none. */
export function filesBelow(folder, wanted) {
  let entries;
  try {
    entries = readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter(wanted)
    .sort();
}

/** Names and contents of files (relative to the root) and this platform, as text. */
export function fingerprint(files) {
  const hashOf = (file) =>
    createHash('sha256')
      .update(readFileSync(path.join(root, file)))
      .digest('base64');
  return JSON.stringify({
    platform: `${process.platform}-${process.arch}`,
    files: Object.fromEntries(files.map((file) => [file, hashOf(file)])),
  });
}

function readStamp(step) {
  try {
    return readFileSync(path.join(stampFolder, step), 'utf8');
  } catch {
    return undefined;
  }
}

export const stampMatches = (step, print) => readStamp(step) === print;

/**
 * Has a file changed whose modification time is not newer than the stamp? Copies that keep times do that, and so does an edit during
 * a build; a tool that goes by time then mixes old objects with new ones. True when there is no stamp to compare with.
 */
export function changedBehindClock(step, print) {
  const before = readStamp(step);
  if (before === undefined) return true;
  const stampMs = statSync(path.join(stampFolder, step)).mtimeMs;
  const known = JSON.parse(before).files;
  const changed = Object.entries(JSON.parse(print).files).filter(([file, hash]) => known[file] !== hash);
  return changed.some(([file]) => statSync(path.join(root, file)).mtimeMs <= stampMs);
}

export function writeStamp(step, print) {
  mkdirSync(stampFolder, { recursive: true });
  writeFileSync(path.join(stampFolder, step), print);
}
