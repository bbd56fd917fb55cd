/** Loaded into a server before anything else: SIGUSR2 terminates its oldest front-end thread, as nothing from outside could. */
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const workers = new Set();
  process.on('worker', (worker) => {
    workers.add(worker);
    worker.once('exit', () => workers.delete(worker));
  });
  process.on('SIGUSR2', () => {
    const [oldest] = workers;
    void oldest?.terminate();
  });
}
