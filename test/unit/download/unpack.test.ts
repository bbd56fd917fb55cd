import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { create } from 'tar';
import { expect, it } from 'vitest';
import { safePath, unpack } from '../../../src/download/unpack.js';
import { temporaryFolder } from '../models/temporary-folder.js';

it.each([
  ['digits/1/model.onnx', 'digits/1/model.onnx'],
  ['./digits//1/', 'digits/1'],
  ['./', '.'],
  ['a..b/..c', 'a..b/..c'],
  ['..', undefined],
  ['a/../../b', undefined],
  ['a/../b', undefined],
  ['/etc/passwd', undefined],
  ['a\\..\\b', undefined],
  ['a\0b', undefined],
])('the path %j of an entry is %j', (path, safe) => {
  expect(safePath(path)).toBe(safe);
});

it('nothing more is unpacked once another pull has taken over', async () => {
  const folder = temporaryFolder({ one: 'a file', two: 'another' });
  const [archive, unpacked] = [join(folder, 'models.tar'), join(folder, 'unpacked')];
  create({ file: archive, cwd: folder, sync: true }, ['one', 'two']);
  mkdirSync(unpacked);
  let entries = 0;
  const mayWrite = (): Promise<void> => (++entries > 1 ? Promise.reject(new Error('taken over')) : Promise.resolve());
  await expect(unpack(archive, unpacked, { maxBytes: 0, mayWrite }, new AbortController().signal)).rejects.toThrow('taken over');
  expect(readdirSync(unpacked)).toEqual(['one']);
});
