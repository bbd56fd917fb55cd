/** `npm run build`: install and build what is stale. */
import { ensureBuilt } from './build-steps.mjs';
import { main } from './processes.mjs';

await main(ensureBuilt);
