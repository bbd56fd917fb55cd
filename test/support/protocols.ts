/** One inference, spoken in each of the forms that the V2 protocol has for it, so that tests can compare the answers. */
import type { ServiceError } from '@grpc/grpc-js';
import { GrpcClient, HttpClient, inferPath, type GrpcInferRequest } from './clients.js';
import { jsonElements, parseExactly, rawFromJson } from './json-data.js';
import type { ServerProcess } from './server-process.js';
import { binaryRequest, readBinaryReply, splitBytes, type JsonReply, type TestTensor } from './tensors.js';

export type ParameterValue = string | number | boolean;

export interface Inference {
  readonly model: string;
  /** Empty or absent = the default. */
  readonly version?: string;
  readonly inputs: readonly TestTensor[];
  /** Names; absent = all. */
  readonly outputs?: readonly string[];
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, ParameterValue>>;
}

export interface Answer {
  readonly model: string;
  readonly version: string;
  /** Empty = none. */
  readonly id: string;
  readonly outputs: readonly TestTensor[];
}

/** `status`: of HTTP, or the number of the gRPC status. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

export const FORMS = ['HTTP JSON', 'HTTP binary', 'gRPC raw', 'gRPC contents'] as const;
export type Form = (typeof FORMS)[number];

export class ProtocolClients {
  readonly http: HttpClient;
  readonly grpc: GrpcClient;

  constructor(server: ServerProcess) {
    this.http = new HttpClient(server.httpUrl);
    this.grpc = new GrpcClient(server.grpcAddress);
  }

  async infer(form: Form, inference: Inference): Promise<Answer> {
    const outcome = await this.attempt(form, inference);
    if ('text' in outcome) throw new Error(`${form} was refused with ${outcome.status}: ${outcome.text}`);
    return outcome;
  }

  async refusal(form: Form, inference: Inference): Promise<Refusal> {
    const outcome = await this.attempt(form, inference);
    if (!('text' in outcome)) throw new Error(`${form} was answered instead of refused`);
    return outcome;
  }

  attempt(form: Form, inference: Inference): Promise<Answer | Refusal> {
    switch (form) {
      case 'HTTP JSON':
        return this.#http(inference, Buffer.from(jsonRequest(inference)), {});
      case 'HTTP binary': {
        const { id, parameters, outputs } = inference;
        const extra = {
          ...(id === undefined ? {} : { id }),
          parameters: { ...parameters, binary_data_output: true },
          ...(outputs === undefined ? {} : { outputs: outputs.map((name) => ({ name })) }),
        };
        const { body, jsonBytes } = binaryRequest(inference.inputs, extra);
        return this.#http(inference, body, { 'inference-header-content-length': String(jsonBytes) });
      }
      case 'gRPC raw':
        return this.#grpc(inference, {
          inputs: inference.inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: [...shape] })),
          raw_input_contents: inference.inputs.map(({ raw }) => raw),
        });
      case 'gRPC contents':
        return this.#grpc(inference, {
          inputs: inference.inputs.map((tensor) => ({
            name: tensor.name,
            datatype: tensor.datatype,
            shape: [...tensor.shape],
            contents: contentsOf(tensor),
          })),
        });
    }
  }

  async close(): Promise<void> {
    this.grpc.close();
    await this.http.close();
  }

  async #http({ model, version }: Inference, body: Buffer, headers: Record<string, string>): Promise<Answer | Refusal> {
    const reply = await this.http.request('POST', inferPath(model, version === '' ? undefined : version), body, headers);
    if (reply.status !== 200) {
      return { status: reply.status, text: (JSON.parse(reply.body.toString('utf8')) as { error: string }).error };
    }
    const header = reply.headers['inference-header-content-length'];
    return answerOf(reply.body, header === undefined ? reply.body.length : Number(header));
  }

  async #grpc({ model, version, id, parameters, outputs }: Inference, message: GrpcInferRequest): Promise<Answer | Refusal> {
    try {
      const reply = await this.grpc.infer({
        ...message,
        model_name: model,
        model_version: version ?? '',
        id: id ?? '',
        parameters: Object.fromEntries(Object.entries(parameters ?? {}).map(([name, value]) => [name, grpcParameter(value)])),
        outputs: (outputs ?? []).map((name) => ({ name })),
      });
      if (reply.outputs.length !== reply.raw_output_contents.length) throw new Error('outputs and raw_output_contents differ in length');
      return {
        model: reply.model_name,
        version: reply.model_version,
        id: reply.id,
        outputs: reply.outputs.map(({ name, datatype, shape }, i) => ({
          name,
          datatype,
          shape,
          raw: reply.raw_output_contents[i] as Buffer,
        })),
      };
    } catch (error) {
      const { code, details } = error as ServiceError;
      if (typeof code !== 'number') throw error;
      return { status: code, text: details };
    }
  }
}

/** The JSON form, written by hand because JSON.stringify has no 64-bit integers. */
export function jsonRequest({ id, parameters, inputs, outputs }: Inference): string {
  const members = [
    ...(id === undefined ? [] : [`"id":${JSON.stringify(id)}`]),
    ...(parameters === undefined ? [] : [`"parameters":${JSON.stringify(parameters)}`]),
    `"inputs":[${inputs.map(jsonInput).join()}]`,
    ...(outputs === undefined ? [] : [`"outputs":${JSON.stringify(outputs.map((name) => ({ name })))}`]),
  ];
  return `{${members.join()}}`;
}

function jsonInput({ name, datatype, shape, raw }: TestTensor): string {
  const data = jsonElements(datatype, raw).join();
  return `{"name":${JSON.stringify(name)},"datatype":${JSON.stringify(datatype)},"shape":[${shape.join()}],"data":[${data}]}`;
}

/** Binary outputs as they came, JSON outputs turned into raw bytes. */
export function answerOf(body: Buffer, jsonBytes: number): Answer {
  const { outputs } = readBinaryReply(body, jsonBytes);
  const document = parseExactly(body.subarray(0, jsonBytes).toString('utf8')) as JsonReply;
  return {
    model: document.model_name,
    version: document.model_version,
    id: document.id ?? '',
    outputs: outputs.map((output, i) => {
      const data = document.outputs[i]?.data;
      return data === undefined ? output : { ...output, raw: rawFromJson(output.datatype, data) };
    }),
  };
}

const CONTENTS_FIELD: Readonly<Record<string, string>> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
};

function contentsOf({ datatype, raw }: TestTensor): Record<string, unknown> {
  if (datatype === 'BYTES') return { bytes_contents: splitBytes(raw) };
  const field = CONTENTS_FIELD[datatype];
  return field === undefined ? {} : { [field]: jsonElements(datatype, raw).map((text) => parseExactly(text)) };
}

function grpcParameter(value: ParameterValue): Record<string, unknown> {
  if (typeof value === 'string') return { string_param: value };
  if (typeof value === 'boolean') return { bool_param: value };
  return Number.isInteger(value) ? { int64_param: value } : { double_param: value };
}
