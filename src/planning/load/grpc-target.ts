/** The server and model that are measured over gRPC. */
import { fileURLToPath } from 'node:url';
import { Client, credentials, Metadata, status, type MethodDefinition, type ServiceDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { OptionsError } from '../../config/load.js';
import type { LoadSettings } from './load-settings.js';
import { commonPrefix, type LoadTarget } from './load-target.js';
import { answerWithoutData } from './response-prefix.js';
import { sampleTensors, type SampleTensor, type TensorMetadata } from './sample-tensors.js';

/** As proto-loader has them. */
interface ServerMetadata {
  readonly name: string;
  readonly version: string;
}
interface ModelMetadata {
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly { readonly name: string; readonly datatype: string; readonly shape: readonly number[] }[];
}

const PROTO_FOLDER = fileURLToPath(new URL('../../../proto', import.meta.url));
const TIMEOUT_MS = 10_000;
/** A model may be warming up. */
const TRIAL_TIMEOUT_MS = 60_000;

/** Throws `OptionsError` when there is no such server or model, or it does not answer the request. */
export async function findGrpcTarget(options: LoadSettings): Promise<LoadTarget> {
  const server = new MeasuredServer(options.url);
  try {
    return await server.find(options);
  } finally {
    server.close();
  }
}

class MeasuredServer {
  readonly #url: string;
  readonly #client: Client;
  readonly #service: ServiceDefinition;

  constructor(url: URL) {
    this.#url = `${url.protocol}//${url.host}`;
    // As the load generator goes: to the server itself, with messages of any size.
    this.#client = new Client(`${url.hostname}:${url.port || '80'}`, credentials.createInsecure(), {
      'grpc.enable_http_proxy': 0,
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
    const definitions = loadSync('grpc_service.proto', { includeDirs: [PROTO_FOLDER], keepCase: true, longs: Number, defaults: true });
    this.#service = definitions['inference.GRPCInferenceService'] as ServiceDefinition;
  }

  close(): void {
    this.#client.close();
  }

  async find(options: LoadSettings): Promise<LoadTarget> {
    const name = options.model;
    const server = (await this.#ask('ServerMetadata', {}, 'no metadata of the server')) as ServerMetadata;
    const asked = { name, version: options.modelVersion };
    const model = (await this.#ask('ModelMetadata', asked, `no metadata of the model "${name}"`)) as ModelMetadata;
    const sample = sampleTensors(model.inputs satisfies readonly TensorMetadata[], options);
    if ('faults' in sample) throw new OptionsError(sample.faults);
    const method = this.#method('ModelInfer');
    const body = method.requestSerialize(inferRequest(options, sample.tensors));
    const trial = async (): Promise<Uint8Array> => {
      const answer = await this.#call(method.path, body, TRIAL_TIMEOUT_MS, 'the model does not answer');
      return answerWithoutData(answer);
    };
    const first = await trial();
    return {
      server: { name: server.name, version: server.version },
      model: { name, versions: model.versions, platform: model.platform },
      request: { flags: ['--protocol', 'grpc', '--path', method.path], body, tensors: 'binary', shapes: sample.shapes },
      answerPrefix: commonPrefix(first, await trial()),
    };
  }

  async #ask(name: string, request: unknown, failure: string): Promise<unknown> {
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    return responseDeserialize(await this.#call(path, requestSerialize(request), TIMEOUT_MS, failure));
  }

  #method(name: string): MethodDefinition<unknown, unknown> {
    const method = this.#service[name];
    if (method === undefined) throw new Error(`proto/grpc_service.proto has no ${name}`);
    return method;
  }

  #call(path: string, message: Buffer, timeoutMs: number, failure: string): Promise<Buffer> {
    const same = (bytes: Buffer): Buffer => bytes;
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + timeoutMs;
      this.#client.makeUnaryRequest(path, same, same, message, new Metadata(), { deadline }, (error, answer) => {
        if (error === null && answer !== undefined) resolve(answer);
        else reject(new OptionsError([`${this.#url}: ${failure}: ${reasonOf(error)}`]));
      });
    });
  }
}

function reasonOf(error: ServiceError | null): string {
  return error === null ? 'an empty answer' : `${status[error.code] ?? error.code}: ${error.details}`;
}

/** Tensors travel behind the rest, in the order of the inputs. */
function inferRequest(options: LoadSettings, tensors: readonly SampleTensor[]): unknown {
  return {
    model_name: options.model,
    model_version: options.modelVersion,
    inputs: tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    raw_input_contents: tensors.map(({ data }) => data),
  };
}
