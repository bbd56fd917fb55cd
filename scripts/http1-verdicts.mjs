/** Builds test/support/http1_verdicts.cc, in the addon's tree, whose objects it shares. */
import process from 'node:process';
import { withBuildLock } from './build-lock.mjs';
import { compile, configure } from './cmake.mjs';
import { Failure, main } from './processes.mjs';

const EXIT_BUILD_FAILED = 70;

await main(() =>
  withBuildLock(async () => {
    const configured = await configure('native-cmake', {});
    if (configured.code !== 0) process.stderr.write(configured.output);
    const code = configured.code || (await compile('native-cmake', ['http1_verdicts']));
    if (code !== 0) throw new Failure(EXIT_BUILD_FAILED, 'http1_verdicts did not compile: see the messages above.');
  }),
);
