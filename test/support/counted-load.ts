/** Clients that ask `add_sub` for one sum after the other, each with numbers of its own, and look at every answer. Nothing is repeated. */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { inferPath, type GrpcInferResponse } from './clients.js';
import { Http2GrpcClient } from './http2-grpc.js';
import { binaryRequest, int32, readBinaryReply, type TestTensor } from './tensors.js';

const NUMBERS = 16;

export interface CountedLoadOptions {
  /** Address for HTTP and for gRPC. */
  readonly http: string;
  readonly grpc: string;
  /** Asked before each new connection; a client that has none and gets none leaves. */
  readonly mayConnect?: () => boolean;
  /** Milliseconds between an answer and the next request of a client. */
  readonly pauseMs: number;
  /** PEM of the authority of both addresses; absent = they are plain. */
  readonly ca?: string;
}

export class CountedLoad {
  readonly #options: CountedLoadOptions & { readonly mayConnect: () => boolean };
  readonly #loops: Promise<void>[] = [];
  readonly #close: (() => void)[] = [];
  readonly grpcClients: Http2GrpcClient[] = [];
  #stopped = false;
  #number = 0;
  /** HTTP answers that told the client to close its connection. */
  toldToGo = 0;
  answered = { http: 0, grpc: 0 };
  /** Whatever was not the right answer, with the milliseconds since the load began. */
  readonly failures: string[] = [];
  readonly #startedAtMs = performance.now();

  constructor(options: CountedLoadOptions) {
    this.#options = { mayConnect: () => true, ...options };
  }

  /** Adds a client with one keep-alive connection. */
  addHttp(): void {
    const { ca } = this.#options;
    const one = { keepAlive: true, maxSockets: 1, scheduling: 'lifo' } as const;
    const agent = ca === undefined ? new Agent(one) : new TlsAgent({ ...one, ca });
    this.#close.push(() => agent.destroy());
    const hasConnection = (): boolean => Object.keys(agent.freeSockets).length > 0;
    this.#loops.push(
      this.#loop('http', async (inputs) => {
        await turn(); // The connection of the last answer is free now.
        if (!hasConnection() && !this.#options.mayConnect()) return undefined;
        return this.#askHttp(agent, inputs);
      }),
    );
  }

  /** Adds a client that keeps `calls` calls going on one connection. */
  addGrpc(calls: number): void {
    const { grpc, mayConnect, ca } = this.#options;
    const client = new Http2GrpcClient(grpc, mayConnect, ca === undefined ? undefined : { ca });
    this.grpcClients.push(client);
    this.#close.push(() => client.close());
    for (let i = 0; i < calls; i++) this.#loops.push(this.#loop('grpc', (inputs) => askGrpc(client, inputs)));
  }

  /** Resolves when every client has left by itself. */
  async done(): Promise<void> {
    await Promise.all(this.#loops);
    for (const close of this.#close.splice(0)) close();
  }

  /** Lets every client have its last answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.done();
  }

  /** `ask` resolves to undefined when the client has to leave. */
  async #loop(protocol: 'http' | 'grpc', ask: (inputs: TestTensor[]) => Promise<TestTensor[] | undefined>): Promise<void> {
    while (!this.#stopped) {
      const first = this.#number++;
      const values = Array.from({ length: NUMBERS }, (_, i) => first + i);
      try {
        const outputs = await ask([
          int32('INPUT0', [1, NUMBERS], values),
          int32('INPUT1', [1, NUMBERS], Array<number>(NUMBERS).fill(first)),
        ]);
        if (outputs === undefined) return;
        const sum = outputs.find(({ name }) => name === 'OUTPUT0')?.raw;
        const right = values.every((value, i) => sum?.readInt32LE(4 * i) === value + first);
        if (!right) throw new Error('a wrong answer');
        this.answered[protocol]++;
      } catch (error) {
        this.failures.push(`${Math.round(performance.now() - this.#startedAtMs)} ms, ${protocol}: ${String(error)}`);
      }
      await sleep(this.#options.pauseMs);
    }
  }

  async #askHttp(agent: Agent, inputs: TestTensor[]): Promise<TestTensor[]> {
    const { body, jsonBytes } = binaryRequest(inputs);
    const headers = { 'inference-header-content-length': jsonBytes, 'content-length': body.length };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const { http, ca } = this.#options;
      const [request, scheme] = ca === undefined ? [httpRequest, 'http'] : [tlsRequest, 'https'];
      const sent = request(`${scheme}://${http}${inferPath('add_sub')}`, { method: 'POST', agent, headers }, resolve);
      sent.on('error', reject);
      sent.end(body);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const answer = Buffer.concat(chunks);
    if (response.headers.connection === 'close') this.toldToGo++;
    if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode}: ${answer.toString('utf8')}`);
    return readBinaryReply(answer, Number(response.headers['inference-header-content-length'])).outputs;
  }
}

async function askGrpc(client: Http2GrpcClient, inputs: TestTensor[]): Promise<TestTensor[] | undefined> {
  const response = await client.call<GrpcInferResponse>('ModelInfer', {
    model_name: 'add_sub',
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: [...shape] })),
    raw_input_contents: inputs.map(({ raw }) => raw),
  });
  return response?.outputs.map(({ name, datatype, shape }, i) => {
    return { name, datatype, shape, raw: response.raw_output_contents[i] ?? Buffer.alloc(0) };
  });
}
