/** Two builds of one tree would write the same files: the second one waits for the first. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Failure, root, say } from './processes.mjs';

const lock = path.join(root, 'build', 'lock');
const POLL_MS = 300;
const EXIT_CANNOT_WRITE = 70;

/** Process id of a lock that is held; undefined when its owner is gone; 'released' when there is no lock any more. */
function holder() {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    if (!(pid > 0)) return 'unknown'; // Created a moment ago, not written yet.
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    if (error.code === 'ENOENT') return 'released';
    return error.code === 'EPERM' ? 'of another user' : undefined;
  }
}

function tryLock() {
  try {
    mkdirSync(path.dirname(lock), { recursive: true });
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    const why = `${error.code}: ${path.relative(root, error.path ?? lock)}`;
    throw new Failure(
      EXIT_CANNOT_WRITE,
      `There is something to build, but this tree cannot be written to (${why}); build it once as a user who may.`,
    );
  }
}

export async function withBuildLock(body) {
  for (let waits = 0; !tryLock(); waits++) {
    const pid = holder();
    if (pid === 'released') continue;
    if (pid === undefined) {
      rmSync(lock, { force: true });
      continue;
    }
    if (waits === 0) say(`waiting for another build (process ${pid}; remove build/lock if there is none) ...`);
    await delay(POLL_MS);
  }
  const unlock = () => rmSync(lock, { force: true });
  process.once('exit', unlock); // Also when a signal ends us in the middle.
  try {
    return await body();
  } finally {
    process.off('exit', unlock);
    unlock();
  }
}
