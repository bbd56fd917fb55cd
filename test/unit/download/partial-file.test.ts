import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PartialFile, type Identity } from '../../../src/download/partial-file.js';
import { temporaryFolder } from '../models/temporary-folder.js';

const here: Identity = { source: 'https://host/a', sha256: 'aa' };

function openPartial(folder: string, identity: Identity): Promise<PartialFile> {
  return PartialFile.open(join(folder, 'model.onnx'), identity, () => Promise.resolve(), new AbortController().signal);
}

/** What a process leaves that ends after five bytes. */
async function leave(identity: Identity, validator: string): Promise<string> {
  const folder = temporaryFolder({});
  const partial = await openPartial(folder, identity);
  await partial.note(validator, 10);
  await partial.append(Buffer.from('12345'));
  await partial.flush();
  await partial.close();
  return folder;
}

it.each<[string, Identity, string, Identity, number, string]>([
  ['the same', here, '"v"', here, 5, '"v"'],
  ['the same content from another source, whose validators are others', here, '"v"', { ...here, source: 'https://mirror/a' }, 5, ''],
  ['another content', here, '"v"', { ...here, sha256: 'bb' }, 0, ''],
  ['an unchecked one of the same source', { ...here, sha256: null }, '"v"', { ...here, sha256: null }, 5, '"v"'],
  ['an unchecked one of another source', { ...here, sha256: null }, '"v"', { source: 'https://mirror/a', sha256: null }, 0, ''],
  ['an unchecked one without a validator', { ...here, sha256: null }, '', { ...here, sha256: null }, 0, ''],
])('goes on with what is left of %s', async (_what, left, leftValidator, wanted, bytes, validator) => {
  const partial = await openPartial(await leave(left, leftValidator), wanted);
  expect([partial.sizeBytes, partial.validator]).toEqual([bytes, validator]);
  await partial.close();
});

it('hashes what was there together with what comes, and puts the whole in its place', async () => {
  const folder = await leave(here, '"v"');
  const partial = await openPartial(folder, here);
  expect(partial.isComplete).toBe(false);
  await partial.append(Buffer.from('67890'));
  expect(partial.isComplete).toBe(true);
  expect(partial.sha256).toBe(createHash('sha256').update('1234567890').digest('hex'));
  await partial.moveTo(join(folder, 'model.onnx'));
  await partial.close();
  expect(readFileSync(join(folder, 'model.onnx'), 'utf8')).toBe('1234567890');
  expect(readdirSync(folder)).toEqual(['model.onnx']);
});

it.each(['', '{', 'null', '{"source":1}', '[]'])('begins anew beside a note that says %j', async (note) => {
  const folder = await leave(here, '"v"');
  writeFileSync(join(folder, 'model.onnx.partial.json'), note);
  const partial = await openPartial(folder, here);
  expect(partial.sizeBytes).toBe(0);
  expect(readFileSync(partial.path)).toHaveLength(0);
  await partial.discard();
  await partial.close();
  expect(existsSync(partial.path)).toBe(false);
});

it('begins anew when there is more than the source has', async () => {
  const folder = await leave(here, '"v"');
  writeFileSync(join(folder, 'model.onnx.partial'), 'x'.repeat(11));
  const partial = await openPartial(folder, here);
  expect(partial.sizeBytes).toBe(0);
  await partial.close();
});

it('writes nothing once another may', async () => {
  const folder = temporaryFolder({});
  let isMine = true;
  const mayWrite = (): Promise<void> => (isMine ? Promise.resolve() : Promise.reject(new Error('taken over')));
  const partial = await PartialFile.open(join(folder, 'model.onnx'), here, mayWrite, new AbortController().signal);
  isMine = false;
  await partial.append(Buffer.from('12345'));
  await expect(partial.flush()).rejects.toThrow('taken over');
  await expect(partial.discard()).rejects.toThrow('taken over');
  await partial.close();
  expect(readFileSync(partial.path)).toHaveLength(0);
});
