/** A folder as the kubelet mounts a ConfigMap: all files lie in a hidden folder of that moment, and links lead there through `..data`. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Paths have slashes where `items` of the volume give them some. The folder is removed when the test has ended. */
export function configMapMount(files: ReadonlyMap<string, string | Buffer>): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'penstock-mount-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const moment = '..2026_01_02_03_04_05.678901234';
  for (const [path, content] of files) {
    mkdirSync(dirname(join(root, moment, path)), { recursive: true });
    writeFileSync(join(root, moment, path), content);
  }
  symlinkSync(moment, join(root, '..data'));
  const tops = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path));
  for (const top of tops) symlinkSync(join('..data', top), join(root, top));
  return root;
}
