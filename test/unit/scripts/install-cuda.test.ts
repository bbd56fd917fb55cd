import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../models/temporary-folder.js';

const script = fileURLToPath(new URL('../../../scripts/install-cuda.mjs', import.meta.url));
const LIBRARY = 'ort/libonnxruntime.so.1';
const SHARED = 'libonnxruntime_providers_shared.so';
const CUDA = 'libonnxruntime_providers_cuda.so';

/** Files that carry a release where the real ones do: among the names of symbols, and as a string of its own. */
const libraryOf = (release: string): string => `\x7fELF\0OrtGetApiBase\0VERS_${release}\0`;
const providerOf = (release: string): string => `\x7fELF\0Replay\0${release}\0Failed to\0`;

function install(files: Readonly<Record<string, string>>): { root: string; status: number | null; said: string } {
  const root = temporaryFolder({ 'from/': '', ...files });
  const flags = ['--from', join(root, 'from'), '--ort-library', join(root, LIBRARY)];
  const { status, stderr } = spawnSync(process.execPath, [script, ...flags], { encoding: 'utf8' });
  return { root, status, said: stderr.replaceAll(root, '') };
}

describe('installing the CUDA provider from a folder', () => {
  it('puts both files beside the library of the same release', () => {
    const files = { [`from/${SHARED}`]: 'shared', [`from/${CUDA}`]: providerOf('1.29.0'), [LIBRARY]: libraryOf('1.29.0') };
    const { root, status, said } = install(files);
    expect([status, said]).toEqual([0, expect.stringContaining('CUDA provider 1.29.0 taken from /from')]);
    expect(readdirSync(join(root, 'ort')).sort()).toEqual(['libonnxruntime.so.1', CUDA, SHARED].sort());
    expect(readFileSync(join(root, 'ort', CUDA), 'latin1')).toBe(providerOf('1.29.0'));
  });

  it('refuses a provider of another release, names both, and leaves all as it was', () => {
    const files = { [`from/${SHARED}`]: 'shared', [`from/${CUDA}`]: providerOf('1.22.1'), [LIBRARY]: libraryOf('1.29.0') };
    const { root, status, said } = install(files);
    expect(status).toBe(73);
    expect(said).toContain(`/from/${CUDA} is not of ONNX Runtime 1.29.0, which /${LIBRARY} is: it carries 1.22.1.`);
    expect(readdirSync(join(root, 'ort'))).toEqual(['libonnxruntime.so.1']);
  });

  it('takes a release that is part of a longer text for another one', () => {
    const files = { [`from/${SHARED}`]: 'shared', [`from/${CUDA}`]: providerOf('1.29.0-rc1'), [LIBRARY]: libraryOf('1.29.0') };
    expect(install(files)).toMatchObject({ status: 73, said: expect.stringContaining('it carries no release') as string });
  });

  it.each([
    [{ [`from/${CUDA}`]: providerOf('1.29.0'), [LIBRARY]: libraryOf('1.29.0') }, `/from has no ${SHARED}`],
    [{ [`from/${SHARED}`]: '', [LIBRARY]: libraryOf('1.29.0') }, `/from has no ${CUDA}`],
    [{ [`from/${SHARED}`]: '', [`from/${CUDA}`]: '', [LIBRARY]: 'something else' }, `/${LIBRARY} is not a libonnxruntime`],
    [{ [`from/${SHARED}`]: '', [`from/${CUDA}`]: '' }, `/${LIBRARY} cannot be read`],
  ])('says what is not there: %o', (files, why) => {
    const { root, status, said } = install(files);
    expect([status, said]).toEqual([73, expect.stringContaining(why)]);
    expect(existsSync(join(root, 'ort', CUDA))).toBe(false);
  });
});
