import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { findOrtLibrary } from '../../../src/config/ort-library.js';

it('finds the library of this platform in the npm package', () => {
  expect(existsSync(findOrtLibrary(''))).toBe(true);
});

it('takes the configured path as it is', () => {
  expect(findOrtLibrary('/opt/ort/libonnxruntime.so')).toBe('/opt/ort/libonnxruntime.so');
});

it('names the platform that the package has no library for', () => {
  expect(() => findOrtLibrary('', 'linux', 'riscv64')).toThrow('onnxruntime-node has no libonnxruntime.so.1 for linux on riscv64');
});
