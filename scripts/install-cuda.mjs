/** `npm run install:cuda`: fetches the CUDA provider with the installer of the onnxruntime-node package, which `npm ci` never runs. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { ensureInstalled } from './build-steps.mjs';
import { Failure, main, root, run, say, seconds } from './processes.mjs';

await main(async () => {
  await ensureInstalled();
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Failure(64, `onnxruntime-node offers a CUDA provider for linux/x64 only, this is ${process.platform}/${process.arch}.`);
  }
  const start = performance.now();
  const provider = path.join(
    root,
    'node_modules',
    'onnxruntime-node',
    'bin',
    'napi-v6',
    'linux',
    'x64',
    'libonnxruntime_providers_cuda.so',
  );
  say("downloading the CUDA provider with onnxruntime-node's own installer (some hundred MB) ...");
  const installer = path.join(root, 'node_modules', 'onnxruntime-node', 'script', 'install.js');
  const { code } = await run(process.execPath, [installer, '--onnxruntime-node-install'], { env: { ONNXRUNTIME_NODE_INSTALL: 'true' } });
  if (code !== 0 || !existsSync(provider)) {
    throw new Failure(
      code || 70,
      'The CUDA provider was not installed: see the messages above. The installer downloads from the NuGet feeds named in ' +
        'node_modules/onnxruntime-node/script/install-metadata.js; they must be reachable (GLOBAL_AGENT_HTTPS_PROXY names a proxy).',
    );
  }
  say(
    `CUDA provider installed in ${seconds(start)}; the CUDA and cuDNN libraries of its release must be on the library path when the server starts`,
  );
});
