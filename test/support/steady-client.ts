/** A client that behaves, of both protocols, while others do not. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GrpcClient, HttpClient } from './clients.js';
import type { ServerProcess } from './server-process.js';
import { int32 } from './tensors.js';

const INPUTS = ['INPUT0', 'INPUT1'].map((name) => int32(name, [1, 16], Array<number>(16).fill(1)));
const SUM = int32('OUTPUT0', [1, 16], Array<number>(16).fill(2));
const INTERVAL_MS = 50;

export class SteadyClient {
  readonly #http: HttpClient;
  readonly #grpc: GrpcClient;
  /** Rounds of a call of each kind that were answered as they should be. */
  rounds = 0;
  slowestMs = 0;

  /** On one connection of each protocol, which it keeps. The server has the model `add_sub`. */
  constructor(server: ServerProcess) {
    this.#http = new HttpClient(server.httpUrl, 1);
    this.#grpc = new GrpcClient(server.grpcAddress);
  }

  /** One of each. Throws when one of them is not answered well. */
  async round(): Promise<void> {
    const start = performance.now();
    const [ofHttp, ofGrpc, document, live] = await Promise.all([
      this.#http.inferBinary('add_sub', INPUTS),
      this.#grpc.inferRaw('add_sub', INPUTS),
      this.#http.get('/v2'),
      this.#grpc.call<{ live: boolean }>('ServerLive', {}),
    ]);
    for (const [sum] of [ofHttp, ofGrpc]) if (sum === undefined || !sum.raw.equals(SUM.raw)) throw new Error('a wrong answer');
    if (document.status !== 200) throw new Error(`HTTP ${document.status}`);
    if (!live.live) throw new Error('not live');
    this.rounds++;
    this.slowestMs = Math.max(this.slowestMs, performance.now() - start);
  }

  /** Asks again and again until `action` has ended, once at least. */
  async during(action: () => Promise<void>): Promise<void> {
    let isOver = false;
    const asking = (async (): Promise<void> => {
      do {
        await this.round();
        await sleep(INTERVAL_MS);
      } while (!isOver);
    })();
    try {
      await action();
    } finally {
      isOver = true;
    }
    await asking;
  }

  async close(): Promise<void> {
    this.#grpc.close();
    await this.#http.pool.destroy();
  }
}
