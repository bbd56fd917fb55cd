/** `npm start [-- command or flags]`: install and build what is stale, then serve, or run the command. The exit code is the program's. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { ensureBuilt } from './build-steps.mjs';
import { exitCodeOfSignal, main, root } from './processes.mjs';

function penstock(args) {
  return new Promise((resolve, reject) => {
    // The caller's folder stays the working directory, so that paths in options mean what they say there.
    const child = spawn(process.execPath, [path.join(root, 'dist', 'main.js'), ...args], { stdio: 'inherit' });
    // A terminal sends Ctrl-C to the whole group: forwarding it would make it two, and the second one means "now".
    const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']) {
      process.on(signal, () => {
        if (!(onTerminal && signal !== 'SIGTERM')) child.kill(signal);
      });
    }
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? exitCodeOfSignal(signal)));
  });
}

await main(async () => {
  await ensureBuilt();
  return penstock(process.argv.slice(2));
});
