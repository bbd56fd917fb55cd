/**
 * `npm run build`: install and build what is stale. Flags for CMake build the native engine afresh with them:
 * `npm run build -- -DREQUIRE_KERNELS=ON -DNVCC=/opt/cuda/bin/nvcc`. A tree keeps its flags.
 */
import process from 'node:process';
import { ensureBuilt } from './build-steps.mjs';
import { main } from './processes.mjs';

await main(() => ensureBuilt(process.argv.slice(2)));
