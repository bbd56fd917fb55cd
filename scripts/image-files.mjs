/**
 * `node scripts/image-files.mjs FOLDER [--require-cuda]`: copies what the commands need at run time out of a built tree. Used by
 * Dockerfile.cuda. `--require-cuda` refuses a tree without ONNX Runtime's CUDA provider.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Failure, main, root } from './processes.mjs';

const EXIT_USAGE = 64;
const EXIT_INCOMPLETE = 70;

/** Read at run time, relative to the root: src/config/version.ts, src/frontend/grpc/definitions.ts, src/bridge/addon.ts. */
const NATIVE = ['penstock.node', 'penstock-loadgen'].map((file) => path.join('build', 'native', file));
const OWN = ['package.json', 'LICENSE', 'proto', 'dist', ...NATIVE];
/** Only this package's library is used, never its JavaScript: what that one depends on stays out. */
const ORT = 'onnxruntime-node';
/** `libonnxruntime.so.1` and the CUDA provider with the part that providers share; the TensorRT provider is not used. */
const ORT_LIBRARY = /^libonnxruntime(_providers_(cuda|shared))?\.so(\.\d+)*$/;
const CUDA_PROVIDER = 'libonnxruntime_providers_cuda.so';

/** Optional, and never loaded: piscina uses it only where workers are to have another niceness, ours are not. */
const UNUSED = '@napi-rs/nice';

/** Folder of a package as Node would find it from the package in `from`; undefined for an optional one that is not installed. */
function packageFolder(packages, name, from) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const candidate = `${folder}${folder && '/'}node_modules/${name}`;
    if (candidate in packages) return existsSync(path.join(root, candidate)) ? candidate : undefined;
    if (folder === '') return undefined;
  }
}

/** Folders of the packages that may be loaded, without ONNX Runtime's. Type declarations are no code. */
function loadedPackages() {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const found = new Set();
  const follow = (dependencies, from) => {
    for (const name of Object.keys(dependencies ?? {})) {
      const folder = name === ORT || name === UNUSED || name.startsWith('@types/') ? undefined : packageFolder(packages, name, from);
      if (folder === undefined || found.has(folder)) continue;
      found.add(folder);
      follow({ ...packages[folder].dependencies, ...packages[folder].optionalDependencies }, folder);
    }
  };
  follow(packages[''].dependencies, '');
  return [...found];
}

/** A package's folder without the packages nested in it, which are listed by themselves. */
const isOfItsOwn = (folder) => (source) => source === folder || path.basename(source) !== 'node_modules';
const isNoMap = (source) => !source.endsWith('.map');

function copyOrtLibraries(target) {
  const packageJson = path.join('node_modules', ORT, 'package.json');
  cpSync(path.join(root, packageJson), path.join(target, packageJson));
  const apis = path.join('node_modules', ORT, 'bin');
  const copied = [];
  for (const api of readdirSync(path.join(root, apis))) {
    const folder = path.join(apis, api, process.platform, process.arch);
    if (!existsSync(path.join(root, folder))) continue;
    for (const file of readdirSync(path.join(root, folder)).filter((name) => ORT_LIBRARY.test(name))) {
      // A link to a file elsewhere would dangle in the image.
      cpSync(path.join(root, folder, file), path.join(target, folder, file), { dereference: true });
      copied.push(file);
    }
  }
  return copied;
}

/** Readable by every user, whatever the modes in the checkout were, and runnable where the owner may run it; only the owner may write. */
function letOthersRead(folder) {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const here = path.join(folder, entry.name);
    if (entry.isDirectory()) letOthersRead(here);
    else if (entry.isFile()) chmodSync(here, statSync(here).mode & 0o100 ? 0o755 : 0o644);
  }
}

await main(() => {
  const [folder, flag, ...more] = process.argv.slice(2);
  if (folder === undefined || (flag !== undefined && flag !== '--require-cuda') || more.length > 0) {
    throw new Failure(EXIT_USAGE, 'usage: node scripts/image-files.mjs FOLDER [--require-cuda]');
  }
  const target = path.resolve(folder);
  mkdirSync(target, { recursive: true });
  for (const part of OWN) cpSync(path.join(root, part), path.join(target, part), { recursive: true, filter: isNoMap });
  for (const part of loadedPackages()) {
    const source = path.join(root, part);
    cpSync(source, path.join(target, part), { recursive: true, filter: isOfItsOwn(source) });
  }
  const libraries = copyOrtLibraries(target);
  if (!libraries.includes('libonnxruntime.so.1')) {
    throw new Failure(EXIT_INCOMPLETE, `${ORT} has no libonnxruntime.so.1 for ${process.platform} on ${process.arch}.`);
  }
  if (flag === '--require-cuda' && !libraries.includes(CUDA_PROVIDER)) {
    throw new Failure(EXIT_INCOMPLETE, `${CUDA_PROVIDER} is not there: "npm run install:cuda" fetches it.`);
  }
  letOthersRead(target);
});
