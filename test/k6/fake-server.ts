/** A V2 server over real sockets, HTTP and gRPC, whose answers are as wrong as a test wants them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { retryTrailers } from '../../src/frontend/grpc/retry-info.js';
import { repositoryRoot } from '../support/server-process.js';

export type Conduct =
  | 'right'
  | 'another model'
  | 'another output'
  | 'another datatype'
  | 'too many rows'
  | 'bytes missing'
  | 'late'
  | 'refuses and says when to come back'
  | 'refuses';

export const LATE_MS = 1000;
const RETRY_AFTER_MS = 1000;
const METADATA = {
  name: 'fake',
  versions: ['1'],
  platform: 'none',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
};

interface FakeAnswer {
  readonly modelName: string;
  readonly output: { readonly name: string; readonly datatype: string; readonly shape: readonly number[] };
  readonly raw: Buffer;
}

function answerOf(conduct: Conduct): FakeAnswer {
  const rows = conduct === 'too many rows' ? 2 : 1;
  return {
    modelName: conduct === 'another model' ? 'other' : METADATA.name,
    output: {
      name: conduct === 'another output' ? 'z' : 'y',
      datatype: conduct === 'another datatype' ? 'INT32' : 'FP32',
      shape: [rows, 2],
    },
    raw: Buffer.alloc(conduct === 'bytes missing' ? 4 : rows * 8),
  };
}

const isRefusal = (conduct: Conduct): boolean => conduct.startsWith('refuses');
const saysWhen = (conduct: Conduct): boolean => conduct === 'refuses and says when to come back';

export class FakeServer {
  readonly #conductOf: (number: number) => Conduct;
  readonly #web: Server;
  readonly #rpc = new grpc.Server();
  #grpcPort = 0;
  #requests = 0;
  #residentBytes = 100_000_000;

  private constructor(conductOf: (number: number) => Conduct) {
    this.#conductOf = conductOf;
    this.#web = createServer((request, response) => void this.#answerHttp(request, response));
  }

  /** `conductOf` gets the number of the inference request, from 0, which is the one that a run begins with. */
  static async start(conductOf: (number: number) => Conduct): Promise<FakeServer> {
    const server = new FakeServer(conductOf);
    await new Promise<void>((resolve) => server.#web.listen(0, '127.0.0.1', resolve));
    const definition = protoLoader.loadSync(join(repositoryRoot, 'proto/grpc_service.proto'), { keepCase: true });
    server.#rpc.addService(definition['inference.GRPCInferenceService'] as grpc.ServiceDefinition, {
      ModelMetadata: (_call: unknown, reply: grpc.sendUnaryData<object>) => reply(null, METADATA),
      ModelInfer: (_call: unknown, reply: grpc.sendUnaryData<object>) => void server.#answerGrpc(reply),
    });
    server.#grpcPort = await new Promise<number>((resolve, reject) =>
      server.#rpc.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
    return server;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${(this.#web.address() as AddressInfo).port}`;
  }

  get grpcAddress(): string {
    return `127.0.0.1:${this.#grpcPort}`;
  }

  /** Whose resident memory is 10 % of the first more each time it is read. */
  get metricsUrl(): string {
    return `${this.httpUrl}/metrics`;
  }

  stop(): void {
    this.#rpc.forceShutdown();
    this.#web.closeAllConnections();
    this.#web.close();
  }

  async #nextConduct(): Promise<Conduct> {
    const conduct = this.#conductOf(this.#requests++);
    if (conduct === 'late') await sleep(LATE_MS);
    return conduct;
  }

  async #answerHttp(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    if (request.url === '/metrics') {
      response.end(`process_resident_memory_bytes ${this.#residentBytes}\n`);
      this.#residentBytes += 10_000_000;
      return;
    }
    if (!request.url?.endsWith('/infer')) {
      response.end(JSON.stringify(METADATA));
      return;
    }
    const conduct = await this.#nextConduct();
    if (isRefusal(conduct)) {
      response.writeHead(503, saysWhen(conduct) ? { 'Retry-After': String(RETRY_AFTER_MS / 1000) } : {});
      response.end('{"error":"busy"}');
      return;
    }
    const { modelName, output, raw } = answerOf(conduct);
    const header = JSON.stringify({ model_name: modelName, outputs: [{ ...output, parameters: { binary_data_size: raw.length } }] });
    response.writeHead(200, { 'Inference-Header-Content-Length': String(header.length) });
    response.write(header);
    response.end(raw);
  }

  async #answerGrpc(reply: grpc.sendUnaryData<object>): Promise<void> {
    const conduct = await this.#nextConduct();
    if (isRefusal(conduct)) {
      const code = grpc.status.UNAVAILABLE;
      const metadata = saysWhen(conduct) ? retryTrailers(code, 'busy', RETRY_AFTER_MS) : new grpc.Metadata();
      reply({ code, details: 'busy', metadata });
      return;
    }
    const { modelName, output, raw } = answerOf(conduct);
    reply(null, { model_name: modelName, outputs: [output], raw_output_contents: [raw] });
  }
}
