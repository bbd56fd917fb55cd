import { expect, it } from 'vitest';
import { safePath } from '../../../src/download/unpack.js';

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
