/** Asks servers whether they live, again and again, on connections of its own. */
import { HttpClient } from '../../support/clients.js';

const INTERVAL_MS = 250;

export class LivenessWatch {
  /** What was not a 200. */
  readonly failures: string[] = [];
  answers = 0;
  slowestMs = 0;
  readonly #clients: readonly HttpClient[];
  readonly #timer: NodeJS.Timeout;

  constructor(urls: readonly string[]) {
    this.#clients = urls.map((url) => new HttpClient(url, 1));
    this.#timer = setInterval(() => this.#clients.forEach((client) => void this.#ask(client)), INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #ask(client: HttpClient): Promise<void> {
    const start = performance.now();
    try {
      const { status } = await client.get('/livez');
      if (status !== 200) this.failures.push(`status ${status}`);
      this.answers += 1;
    } catch (thrown) {
      this.failures.push(String(thrown));
    }
    this.slowestMs = Math.max(this.slowestMs, performance.now() - start);
  }
}
