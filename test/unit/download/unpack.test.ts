import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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

it('nothing more is unpacked after a failure, though entries were waiting for their turn', async () => {
  const names = Array.from({ length: 100 }, (_, index) => `m${index}`);
  const folder = temporaryFolder(Object.fromEntries(names.map((name) => [`${name}/model.onnx`, 'a file'])));
  const [archive, unpacked] = [join(folder, 'models.tar'), join(folder, 'unpacked')];
  create({ file: archive, cwd: folder, sync: true, portable: true }, names);
  const bytes = readFileSync(archive);
  bytes[bytes.lastIndexOf('ustar')] = 0;
  writeFileSync(archive, bytes);
  mkdirSync(unpacked);
  const unpacking = unpack(archive, unpacked, { maxBytes: 0, mayWrite: () => Promise.resolve() }, new AbortController().signal);
  await expect(unpacking).rejects.toThrow('the archive cannot be read');
  const left = readdirSync(unpacked);
  await sleep(200);
  expect(readdirSync(unpacked)).toEqual(left);
});
