/** Model repositories made for one test out of the shipped models and the fixtures. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { repositoryRoot } from './server-process.js';

/** What a file holds: a text, bytes, or the path of the file to copy, from the root of the source tree. */
export type FileContent = string | Buffer | { readonly copyOf: string };

export const DIGITS_1 = { copyOf: 'models/digits/1/model.onnx' } as const;
export const DIGITS_2 = { copyOf: 'models/digits/2/model.onnx' } as const;
export const IDENTITY = { copyOf: 'test/fixtures/models/identity_fp32/1/model.onnx' } as const;

/** A new folder with these files; it is removed when the test has ended. */
export function modelFolder(files: Readonly<Record<string, FileContent>>): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'penstock-repository-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  writeFiles(root, files);
  return root;
}

/** Path below `root`, which is made if need be, -> content. */
export function writeFiles(root: string, files: Readonly<Record<string, FileContent>>): void {
  mkdirSync(root, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    if (typeof content === 'string' || Buffer.isBuffer(content)) writeFileSync(full, content);
    else copyFileSync(join(repositoryRoot, content.copyOf), full);
  }
}
