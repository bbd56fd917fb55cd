/** Small clients over real sockets: V2 HTTP through undici, V2 gRPC through grpc-js with the project's proto files. */
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { Pool, type buildConnector } from 'undici';
import { repositoryRoot } from './server-process.js';
import { binaryRequest, readBinaryReply, type JsonReply, type TestTensor } from './tensors.js';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

export class HttpClient {
  readonly pool: Pool;

  /** `tls`: for an https URL. */
  constructor(url: string, connections = 8, tls: buildConnector.BuildOptions = {}) {
    this.pool = new Pool(url, { connections, headersTimeout: 60_000, bodyTimeout: 60_000, connect: tls });
  }

  async request(method: string, path: string, body?: Buffer | string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    const answer = await this.pool.request({ method, path, body: body ?? null, headers });
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.from(await answer.body.arrayBuffer()) };
  }

  get(path: string): Promise<HttpAnswer> {
    return this.request('GET', path);
  }

  async inferJson(model: string, request: unknown, version?: string): Promise<JsonReply> {
    const answer = await this.request('POST', inferPath(model, version), JSON.stringify(request), { 'content-type': 'application/json' });
    if (answer.status !== 200) throw new Error(`HTTP ${answer.status}: ${answer.body.toString('utf8')}`);
    return JSON.parse(answer.body.toString('utf8')) as JsonReply;
  }

  async inferBinary(model: string, inputs: readonly TestTensor[], version?: string): Promise<TestTensor[]> {
    const { body, jsonBytes } = binaryRequest(inputs);
    const answer = await this.request('POST', inferPath(model, version), body, { 'inference-header-content-length': String(jsonBytes) });
    if (answer.status !== 200) throw new Error(`HTTP ${answer.status}: ${answer.body.toString('utf8')}`);
    const header = answer.headers['inference-header-content-length'];
    return readBinaryReply(answer.body, header === undefined ? answer.body.length : Number(header)).outputs;
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

export function inferPath(model: string, version?: string): string {
  return `/v2/models/${encodeURIComponent(model)}${version === undefined ? '' : `/versions/${version}`}/infer`;
}

export interface GrpcTensor {
  name: string;
  datatype: string;
  shape: (number | string)[];
  contents?: Record<string, unknown>;
}

export interface GrpcInferRequest {
  model_name?: string;
  model_version?: string;
  id?: string;
  parameters?: Record<string, Record<string, unknown>>;
  inputs?: GrpcTensor[];
  outputs?: { name: string; parameters?: Record<string, Record<string, unknown>> }[];
  raw_input_contents?: Buffer[];
}

export interface GrpcInferResponse {
  model_name: string;
  model_version: string;
  id: string;
  outputs: { name: string; datatype: string; shape: number[] }[];
  raw_output_contents: Buffer[];
}

const definition = protoLoader.loadSync(['grpc_service.proto', 'health.proto'], {
  includeDirs: [join(repositoryRoot, 'proto')],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});

/** Path and serializers of a method. */
export function rpc(name: string, service = 'inference.GRPCInferenceService'): grpc.MethodDefinition<unknown, unknown> {
  const method = (definition[service] as grpc.ServiceDefinition)[name];
  if (method === undefined) throw new Error(`${service} has no method ${name}`);
  return method;
}

function rawRequest(model: string, inputs: readonly TestTensor[], version: string): GrpcInferRequest {
  return {
    model_name: model,
    model_version: version,
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: [...shape] })),
    raw_input_contents: inputs.map((input) => input.raw),
  };
}

/** A ModelInfer message as bytes. */
export function inferMessage(model: string, inputs: readonly TestTensor[]): Buffer {
  return rpc('ModelInfer').requestSerialize(rawRequest(model, inputs, ''));
}

export type UnaryCall = (method: string, request: unknown, options?: grpc.CallOptions, metadata?: grpc.Metadata) => Promise<unknown>;

export class GrpcClient {
  readonly raw: grpc.Client;

  constructor(address: string, channelOptions: grpc.ChannelOptions = {}, credentials = grpc.credentials.createInsecure()) {
    this.raw = new grpc.Client(address, credentials, {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      ...channelOptions,
    });
  }

  method(name: string, service?: string): grpc.MethodDefinition<unknown, unknown> {
    return rpc(name, service);
  }

  /** Any unary RPC of the inference service (or of `service`) by name. Rejects with grpc.ServiceError. */
  call<Response>(
    method: string,
    request: unknown,
    options: grpc.CallOptions = {},
    service = 'inference.GRPCInferenceService',
  ): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = this.method(method, service);
    return new Promise((resolve, reject) => {
      this.raw.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, new grpc.Metadata(), options, (error, value) => {
        if (error) reject(error);
        else resolve(value as Response);
      });
    });
  }

  /** A ModelInfer message as bytes, for malformed ones. */
  inferBytes(message: Buffer, options: grpc.CallOptions = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const same = (value: Buffer): Buffer => value;
      this.raw.makeUnaryRequest(
        '/inference.GRPCInferenceService/ModelInfer',
        same,
        same,
        message,
        new grpc.Metadata(),
        options,
        (error, value) => {
          if (error) reject(error);
          else resolve(value as Buffer);
        },
      );
    });
  }

  infer(request: GrpcInferRequest, options: grpc.CallOptions = {}): Promise<GrpcInferResponse> {
    return this.call('ModelInfer', request, options);
  }

  async inferRaw(model: string, inputs: readonly TestTensor[], version = ''): Promise<TestTensor[]> {
    const response = await this.infer(rawRequest(model, inputs, version));
    return response.outputs.map(({ name, datatype, shape }, i) => ({
      name,
      datatype,
      shape,
      raw: response.raw_output_contents[i] ?? Buffer.alloc(0),
    }));
  }

  close(): void {
    this.raw.close();
  }
}
