import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { placeArchive } from '../../../src/download/place-archive.js';
import type { OpenedSource } from '../../../src/download/source.js';
import { createLogger } from '../../../src/telemetry/log.js';
import { temporaryFolder } from '../models/temporary-folder.js';

const { signal } = new AbortController();

it('a pull that stood still leaves the files of the one that has taken over alone', async () => {
  const folder = temporaryFolder({});
  const theirs = join(folder, '.penstock-pull.unpacked/m');
  const takenOver = (): Promise<OpenedSource> => {
    writeFileSync(join(folder, '.penstock-pull.lock'), 'another 1\n');
    mkdirSync(theirs, { recursive: true });
    const later = performance.now() + 60_000;
    const clock = vi.spyOn(performance, 'now').mockReturnValue(later);
    onTestFinished(() => clock.mockRestore());
    return Promise.resolve({ offsetBytes: 0, totalBytes: 3, validator: '', body: chunks() });
  };
  const limits = { sha256: null, maxBytes: 0, attempts: 1, stallTimeoutMs: 0 };
  const log = createLogger({ level: 'silent', name: 'test' });
  await expect(placeArchive({ ...limits, source: takenOver, sourceName: 'source' }, folder, log, signal)).rejects.toThrow('has taken over');
  expect(existsSync(theirs)).toBe(true);
});

async function* chunks(): AsyncIterable<Buffer> {
  yield await Promise.resolve(Buffer.from('abc'));
}
