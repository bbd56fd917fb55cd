/** Has anything changed since a build step last succeeded? Answered by content, so that checkouts, copies and clocks do not matter. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

/** One hash over names and contents of files (relative to the root) and over this platform. */
export function fingerprint(files) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const file of files)
    hash.update(`${file}\n`).update(
      createHash('sha256')
        .update(readFileSync(path.join(root, file)))
        .digest(),
    );
  return hash.digest('hex');
}

export function stampMatches(step, print) {
  try {
    return readFileSync(path.join(stampFolder, step), 'utf8') === print;
  } catch {
    return false;
  }
}

export function writeStamp(step, print) {
  mkdirSync(stampFolder, { recursive: true });
  writeFileSync(path.join(stampFolder, step), print);
}
