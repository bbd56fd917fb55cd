import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { PullLock } from '../../../src/download/pull-lock.js';
import { temporaryFolder } from '../models/temporary-folder.js';

const never = new AbortController().signal;

it('lets one in at a time, and tells the others once that they wait', async () => {
  const path = join(temporaryFolder({}), 'lock');
  const first = await PullLock.acquire(path, never, () => {});
  const onWait = vi.fn();
  let isIn = false;
  const second = PullLock.acquire(path, never, onWait).then((lock) => {
    isIn = true;
    return lock;
  });
  await sleep(600);
  expect(isIn).toBe(false);
  first.release();
  (await second).release();
  expect(onWait).toHaveBeenCalledTimes(1);
  expect(existsSync(path)).toBe(false);
});

it('is given back by a signal before anything else happens', async () => {
  const path = join(temporaryFolder({}), 'lock');
  const stop = new AbortController();
  await PullLock.acquire(path, stop.signal, () => {});
  stop.abort();
  expect(existsSync(path)).toBe(false);
});

it('stops waiting at a signal', async () => {
  const path = join(temporaryFolder({ lock: 'of another' }), 'lock');
  const stop = new AbortController();
  const waiting = PullLock.acquire(path, stop.signal, () => stop.abort());
  await expect(waiting).rejects.toThrow(/abort/);
  expect(existsSync(path)).toBe(true);
});

it('notices after it stood still that another has taken over, and leaves that one its lock', async () => {
  const path = join(temporaryFolder({}), 'lock');
  const lock = await PullLock.acquire(path, never, () => {});
  await lock.hold();
  renameSync(path, `${path}.aside`);
  writeFileSync(path, 'another 0\n');
  const later = performance.now() + 60_000;
  const clock = vi.spyOn(performance, 'now').mockReturnValue(later);
  onTestFinished(() => clock.mockRestore());
  await expect(lock.hold()).rejects.toMatchObject({ code: 'ERR_PULL_TARGET' });
  lock.release();
  expect(existsSync(path)).toBe(true);
});
