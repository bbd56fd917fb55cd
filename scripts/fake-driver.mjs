/** Builds test/fake-driver: the libraries with which tests run on GPUs that are not there. In the addon's tree, whose objects it shares. */
import process from 'node:process';
import { withBuildLock } from './build-lock.mjs';
import { compile, configure } from './cmake.mjs';
import { Failure, main } from './processes.mjs';

const EXIT_BUILD_FAILED = 70;

await main(() =>
  withBuildLock(async () => {
    const configured = await configure('native-cmake', { BUILD_FAKE_DRIVER: 'ON' });
    if (configured.code !== 0) process.stderr.write(configured.output);
    const code = configured.code || (await compile('native-cmake', ['fake_cuda', 'fake_nvml', 'fake_ort']));
    if (code !== 0) throw new Failure(EXIT_BUILD_FAILED, 'The fake driver did not compile: see the messages above.');
  }),
);
