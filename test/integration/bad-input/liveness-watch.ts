/** Asks servers whether they live, again and again, from a thread of its own: what this thread does must not count as their delay. */
import { Worker } from 'node:worker_threads';

export interface Liveness {
  /** What was not a 200. */
  readonly failures: readonly string[];
  readonly answers: number;
  readonly slowestMs: Readonly<Record<string, number>>;
}

const INTERVAL_MS = 250;

/** Plain JavaScript, because a worker of the test runner does not read TypeScript. */
const SOURCE = `
const { parentPort, workerData } = require('node:worker_threads');
const http = require('node:http');
const agent = new http.Agent({ keepAlive: true });
const seen = { failures: [], answers: 0, slowestMs: {} };
function ask(url) {
  const start = performance.now();
  const request = http.get(url, { agent }, (response) => {
    response.resume().on('end', () => {
      seen.answers += 1;
      seen.slowestMs[url] = Math.max(seen.slowestMs[url] ?? 0, performance.now() - start);
      if (response.statusCode !== 200) seen.failures.push(url + ': ' + response.statusCode);
    });
  });
  request.on('error', (error) => seen.failures.push(url + ': ' + error.message));
}
const timer = setInterval(() => workerData.urls.forEach(ask), workerData.intervalMs);
parentPort.once('message', () => {
  clearInterval(timer);
  agent.destroy();
  parentPort.postMessage(seen);
});
`;

export class LivenessWatch {
  readonly #worker: Worker;

  constructor(urls: readonly string[]) {
    this.#worker = new Worker(SOURCE, { eval: true, workerData: { urls, intervalMs: INTERVAL_MS } });
  }

  /** What has been seen; the watch is over then. */
  stop(): Promise<Liveness> {
    return new Promise((resolve, reject) => {
      this.#worker.once('message', resolve).once('error', reject);
      this.#worker.postMessage('stop');
    });
  }
}
