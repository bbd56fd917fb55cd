/** The files of ONNX Runtime's CUDA provider, and whether they belong to a libonnxruntime. */
import { copyFileSync, existsSync, readFileSync, realpathSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './processes.mjs';

const EXIT_REFUSED = 73;

export const CUDA_PROVIDER = 'libonnxruntime_providers_cuda.so';
const FILES = ['libonnxruntime_providers_shared.so', CUDA_PROVIDER];

/** The release as the library's exported symbols carry it (`OrtGetApiBase@VERS_1.29.0`). */
function releaseOfLibrary(library) {
  const release = /VERS_(\d+\.\d+\.\d+)\0/.exec(read(library).toString('latin1'))?.[1];
  if (release === undefined) throw new Failure(EXIT_REFUSED, `${library} is not a libonnxruntime: its symbols carry no release.`);
  return release;
}

/**
 * Throws a `Failure` unless the provider in `folder` is of the release of `library`. The provider's symbols say nothing, but it holds its
 * release as a string of its own (seen in 1.29.0, once, and no other text of that form).
 */
export function checkRelease(folder, library) {
  const release = releaseOfLibrary(library);
  const provider = path.join(folder, CUDA_PROVIDER);
  const bytes = read(provider);
  if (bytes.includes(`\0${release}\0`, 0, 'latin1')) return release;
  const found = [...new Set([...bytes.toString('latin1').matchAll(/\0(1\.\d+\.\d+)(?=\0)/g)].map((match) => match[1]))].join(', ');
  throw new Failure(
    EXIT_REFUSED,
    `${provider} is not of ONNX Runtime ${release}, which ${library} is: ` +
      `it carries ${found || 'no release'}. Providers work with the library of the same release only.`,
  );
}

/** Puts the provider's files beside `library`, whole or not at all. Returns their release. */
export function installFrom(folder, library) {
  for (const name of FILES) {
    if (!existsSync(path.join(folder, name))) throw new Failure(EXIT_REFUSED, `${folder} has no ${name}.`);
  }
  const release = checkRelease(folder, library);
  const target = path.dirname(realpathSync(library));
  if (realpathSync(folder) === target) return release;
  const temporary = (name) => path.join(target, `${name}.new`);
  try {
    for (const name of FILES) copyFileSync(path.join(folder, name), temporary(name));
    for (const name of FILES) renameSync(temporary(name), path.join(target, name));
  } catch (thrown) {
    for (const name of FILES) rmSync(temporary(name), { force: true });
    throw new Failure(EXIT_REFUSED, `The provider cannot be put into ${target}: ${thrown.message}`);
  }
  return release;
}

function read(file) {
  try {
    return readFileSync(file);
  } catch (thrown) {
    throw new Failure(EXIT_REFUSED, `${file} cannot be read: ${thrown.message}`);
  }
}
