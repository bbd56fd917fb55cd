/**
 * `npm run install:cuda`: fetches the CUDA provider with the installer of the onnxruntime-node package, which `npm ci` never runs.
 * With `-- --from DIR` it takes the two files from a folder instead; `--ort-library PATH` names another libonnxruntime than the package's.
 */
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './build-steps.mjs';
import { checkRelease, installFrom } from './cuda-provider.mjs';
import { Failure, main, root, run, say, seconds } from './processes.mjs';

const EXIT_USAGE = 64;
const NEXT = 'the CUDA and cuDNN libraries that it was built for must be on the library path when the server starts';

const packageFolder = path.join(root, 'node_modules', 'onnxruntime-node');
const packageLibrary = path.join(packageFolder, 'bin', 'napi-v6', process.platform, process.arch, 'libonnxruntime.so.1');

function readFlags() {
  try {
    return parseArgs({ options: { from: { type: 'string' }, 'ort-library': { type: 'string' } } }).values;
  } catch (thrown) {
    throw new Failure(EXIT_USAGE, `${thrown.message}. Usage: npm run install:cuda [-- --from DIR [--ort-library PATH]]`);
  }
}

async function download() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Failure(
      EXIT_USAGE,
      `onnxruntime-node offers a CUDA provider for linux/x64 only, this is ${process.platform}/${process.arch}.`,
    );
  }
  const start = performance.now();
  say("downloading the CUDA provider with onnxruntime-node's own installer (some hundred MB) ...");
  const installer = path.join(packageFolder, 'script', 'install.js');
  const { code } = await run(process.execPath, [installer, '--onnxruntime-node-install'], { env: { ONNXRUNTIME_NODE_INSTALL: 'true' } });
  if (code !== 0) {
    throw new Failure(
      code,
      'The CUDA provider was not installed: see the messages above. The installer downloads from the NuGet feeds named in ' +
        'node_modules/onnxruntime-node/script/install-metadata.js; they must be reachable (GLOBAL_AGENT_HTTPS_PROXY names a proxy). ' +
        'With -- --from DIR it is taken from a folder.',
    );
  }
  const release = checkRelease(path.dirname(packageLibrary), packageLibrary);
  say(`CUDA provider ${release} installed in ${seconds(start)}; ${NEXT}`);
}

await main(async () => {
  const { from, 'ort-library': library } = readFlags();
  if (library !== undefined && from === undefined) throw new Failure(EXIT_USAGE, '--ort-library goes with --from only.');
  if (library === undefined) await ensureInstalled();
  if (from === undefined) return download();
  const release = installFrom(from, library ?? packageLibrary);
  say(`CUDA provider ${release} taken from ${from}; ${NEXT}`);
});
