/** Where ONNX Runtime's shared library lies. The package's JavaScript is never loaded: its binding and ours cannot share a process. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ServerError } from '../errors.js';

/** Path of `libonnxruntime.so.1`: `configured` when it is not empty, else the one in the package onnxruntime-node. Throws ERR_ORT_LIBRARY. */
export function findOrtLibrary(configured: string, platform: string = process.platform, arch: string = process.arch): string {
  if (configured !== '') return configured;
  let packageFile: string;
  try {
    packageFile = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  } catch (cause) {
    throw new ServerError('ERR_ORT_LIBRARY', 'the package onnxruntime-node is not installed; give --ort-library PATH', { cause });
  }
  const folders = join(dirname(packageFile), 'bin');
  const name = 'libonnxruntime.so.1';
  for (const api of namesIn(folders)) {
    const folder = join(folders, api, platform, arch);
    if (namesIn(folder).includes(name)) return join(folder, name);
  }
  throw new ServerError('ERR_ORT_LIBRARY', `onnxruntime-node has no ${name} for ${platform} on ${arch}; give --ort-library PATH`);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
