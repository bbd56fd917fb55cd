import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient } from '../support/clients.js';
import { DIGITS_METADATA } from '../support/digits-metadata.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { bytes } from '../support/tensors.js';

let server: ServerProcess;
let client: GrpcClient;

beforeAll(async () => {
  server = await ServerProcess.start({ repositories: [shippedModels, fixtureModels] });
  client = new GrpcClient(server.grpcAddress);
});

afterAll(async () => {
  client.close();
  await server.stop();
});

async function failureOf(call: Promise<unknown>): Promise<{ code: string | undefined; details: string }> {
  const error = await call.then(
    () => undefined,
    (thrown: ServiceError) => thrown,
  );
  if (error === undefined) throw new Error('the call succeeded');
  return { code: status[error.code], details: error.details };
}

describe('the core calls', () => {
  it('tell that the server is live and ready', async () => {
    expect(await client.call('ServerLive', {})).toEqual({ live: true });
    expect(await client.call('ServerReady', {})).toEqual({ ready: true });
  });

  it('tell what the server offers', async () => {
    expect(await client.call('ServerMetadata', {})).toMatchObject({
      name: 'penstock',
      extensions: ['model_configuration', 'binary_tensor_data', 'parameters', 'statistics'],
    });
  });

  it('tell which models and versions are ready', async () => {
    expect(await client.call('ModelReady', { name: 'digits' })).toEqual({ ready: true });
    expect(await client.call('ModelReady', { name: 'digits', version: '1' })).toEqual({ ready: true });
    expect(await failureOf(client.call('ModelReady', { name: 'nobody' }))).toEqual({
      code: 'NOT_FOUND',
      details: "Request for unknown model: 'nobody' is not found",
    });
  });

  it('describe a model', async () => {
    expect(await client.call('ModelMetadata', { name: 'digits' })).toMatchObject(DIGITS_METADATA);
  });

  it('infer', async () => {
    const outputs = await client.inferRaw('echo_text', [bytes('text', [1, 1], ['Grüße'])]);
    expect(outputs).toEqual([bytes('echo', [1, 1], ['Grüße'])]);
  });
});

describe('the extensions', () => {
  it('tell the configuration with its defaults', async () => {
    expect(await client.call('ModelConfig', { name: 'digits', version: '2' })).toMatchObject({
      config: {
        name: 'digits',
        backend: 'onnxruntime',
        max_batch_size: 64,
        version_policy: { policy_choice: 'all' },
        input: [{ name: 'image', data_type: 'TYPE_FP32', dims: [1, 8, 8] }],
        dynamic_batching: { preferred_batch_size: [64] },
        instance_group: [{ name: 'digits_0', kind: 'KIND_CPU', count: 2 }],
      },
    });
  });

  it('count what was inferred', async () => {
    const statistics = async (): Promise<{ success: number; rows: number }> => {
      const reply = await client.call<{
        model_stats: { name: string; version: string; inference_count: number; inference_stats: { success: { count: number } } }[];
      }>('ModelStatistics', { name: 'identity_string' });
      const [only] = reply.model_stats;
      expect(reply.model_stats).toHaveLength(1);
      return { success: only?.inference_stats.success.count ?? NaN, rows: only?.inference_count ?? NaN };
    };
    expect(await statistics()).toEqual({ success: 0, rows: 0 });
    await client.inferRaw('identity_string', [bytes('INPUT0', [3, 1], ['a', 'b', 'c'])]);
    expect(await statistics()).toEqual({ success: 1, rows: 3 });
  });

  it.each(['RepositoryIndex', 'RepositoryModelLoad', 'RepositoryModelUnload', 'SystemSharedMemoryStatus', 'CudaSharedMemoryStatus'])(
    '%s is not offered',
    async (method) => {
      expect(await failureOf(client.call(method, {}))).toEqual({
        code: 'UNIMPLEMENTED',
        details: `${method} is not offered by this server`,
      });
    },
  );

  it.each(['TraceSetting', 'LogSettings'])('%s is not offered', async (method) => {
    expect((await failureOf(client.call(method, {}))).code).toBe('UNIMPLEMENTED');
  });

  it('streaming is not offered', async () => {
    const same = (message: Buffer): Buffer => message;
    const path = '/inference.GRPCInferenceService/ModelStreamInfer';
    const stream = client.raw.makeBidiStreamRequest(path, same, same, new Metadata());
    const error = await new Promise<ServiceError>((resolve) => stream.on('error', (thrown: ServiceError) => resolve(thrown)));
    expect([error.code, error.details]).toEqual([status.UNIMPLEMENTED, 'ModelStreamInfer is not offered by this server']);
  });
});

describe('what only gRPC can say', () => {
  it('a version that is no number is refused', async () => {
    const text = 'model_version: found "latest", expected a whole number of at most 18 digits, or nothing for the default version';
    expect(await failureOf(client.inferRaw('echo_text', [bytes('text', [1, 1], ['x'])], 'latest'))).toEqual({
      code: 'INVALID_ARGUMENT',
      details: text,
    });
  });

  it('contents and raw_input_contents in one request are refused', async () => {
    const input = { name: 'text', datatype: 'BYTES', shape: [1, 1], contents: { bytes_contents: [Buffer.from('x')] } };
    const both = { model_name: 'echo_text', inputs: [input], raw_input_contents: [Buffer.from('\u0001\u0000\u0000\u0000x')] };
    expect(await failureOf(client.infer(both))).toEqual({
      code: 'INVALID_ARGUMENT',
      details: 'inputs[0].contents.bytes_contents: found elements, expected none, because the request has raw_input_contents',
    });
  });
});

describe('reflection', () => {
  const folder = join(dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json')), 'build/proto');

  it.each(['v1', 'v1alpha'])('%s lists the services and finds their methods', async (version) => {
    const service = `grpc.reflection.${version}.ServerReflection`;
    const definition = protoLoader.loadSync(`grpc/reflection/${version}/reflection.proto`, { includeDirs: [folder], keepCase: true });
    const method = (definition[service] as protoLoader.ServiceDefinition)['ServerReflectionInfo'];
    if (method === undefined) throw new Error(`${service} has no ServerReflectionInfo`);
    const stream = client.raw.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, new Metadata());
    const answers: { list_services_response?: { service: { name: string }[] }; file_descriptor_response?: unknown }[] = [];
    const ended = new Promise((resolve, reject) => {
      stream.on('data', (answer: (typeof answers)[number]) => answers.push(answer));
      stream.on('end', resolve);
      stream.on('error', reject);
    });
    stream.write({ list_services: '*' });
    stream.write({ file_containing_symbol: 'inference.GRPCInferenceService.ModelInfer' });
    stream.end();
    await ended;
    const [list, file] = answers;
    const names = list?.list_services_response?.service.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['inference.GRPCInferenceService', 'grpc.health.v1.Health']));
    expect(file?.file_descriptor_response).toBeDefined();
  });
});
