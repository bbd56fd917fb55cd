import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpClient, type HttpAnswer } from '../support/clients.js';
import { DIGITS_METADATA } from '../support/digits-metadata.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';

let server: ServerProcess;
let http: HttpClient;
let management: HttpClient;

beforeAll(async () => {
  server = await ServerProcess.start({ repositories: [shippedModels, fixtureModels] });
  http = new HttpClient(server.httpUrl);
  management = new HttpClient(server.managementUrl);
});

afterAll(async () => {
  await Promise.all([http.close(), management.close()]);
  await server.stop();
});

async function json(path: string, client = http): Promise<unknown> {
  const answer = await client.get(path);
  expect(answer.status, answer.body.toString('utf8')).toBe(200);
  expect(answer.headers['content-type']).toBe('application/json');
  return JSON.parse(answer.body.toString('utf8'));
}

function errorOf(answer: HttpAnswer): unknown {
  expect(answer.headers['content-type']).toBe('application/json');
  return JSON.parse(answer.body.toString('utf8'));
}

describe('probes', () => {
  const live = { status: 'ok', checks: [{ name: 'main-thread-progress', ok: true }] };
  const ready = { status: 'ok', checks: ['models-ready', 'not-exiting', 'front-ends-listening'].map((name) => ({ name, ok: true })) };
  const started = { status: 'ok', checks: [{ name: 'models-loaded', ok: true }] };

  it.each([
    ['/health', live],
    ['/healthz', live],
    ['/livez', live],
    ['/ready', ready],
    ['/readyz', ready],
    ['/startup', started],
    ['/startupz', started],
    ['/v2/health/live', { live: true }],
    ['/v2/health/ready', { ready: true }],
  ])('%s answers on both ports', async (path, body) => {
    expect(await json(path)).toEqual(body);
    expect(await json(path, management)).toEqual(body);
  });
});

describe('documents', () => {
  it('of the server name what works', async () => {
    expect(await json('/v2')).toEqual({
      name: 'penstock',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
      extensions: ['model_configuration', 'binary_tensor_data', 'parameters', 'statistics'],
    });
  });

  it('of a model name its ready versions, of a version just that one', async () => {
    expect(await json('/v2/models/digits')).toEqual(DIGITS_METADATA);
    expect(await json('/v2/models/digits/versions/1')).toEqual({ ...DIGITS_METADATA, versions: ['1'] });
  });

  it('of a model without a configuration come from its file', async () => {
    expect(await json('/v2/models/identity_fp16')).toMatchObject({
      inputs: [{ name: 'INPUT0', datatype: 'FP16', shape: [-1, -1] }],
      outputs: [{ name: 'OUTPUT0', datatype: 'FP16', shape: [-1, -1] }],
    });
  });

  it('of a configuration have the defaults filled in', async () => {
    expect(await json('/v2/models/digits/config')).toMatchObject({
      name: 'digits',
      platform: 'onnxruntime_onnx',
      backend: 'onnxruntime',
      version_policy: { all: {} },
      max_batch_size: 64,
      input: [{ name: 'image', data_type: 'TYPE_FP32', dims: [1, 8, 8], format: 'FORMAT_NONE' }],
      output: [
        { name: 'probabilities', data_type: 'TYPE_FP32', dims: [10] },
        { name: 'label', data_type: 'TYPE_INT64', dims: [] },
      ],
      dynamic_batching: { preferred_batch_size: [64], max_queue_delay_microseconds: 0 },
      instance_group: [{ name: 'digits_0', kind: 'KIND_CPU', count: 2 }],
      default_model_filename: 'model.onnx',
    });
    expect(await json('/v2/models/digits/versions/2/config')).toEqual(await json('/v2/models/digits/config'));
  });

  it('of statistics cover one version, one model or all', async () => {
    const names = async (path: string): Promise<string[]> =>
      ((await json(path)) as { model_stats: { name: string; version: string }[] }).model_stats.map(
        ({ name, version }) => `${name}/${version}`,
      );
    expect(await names('/v2/models/digits/versions/1/stats')).toEqual(['digits/1']);
    expect(await names('/v2/models/digits/stats')).toEqual(['digits/1', 'digits/2']);
    expect(await names('/v2/models/stats')).toEqual(expect.arrayContaining(['digits/1', 'digits/2', 'add_sub/1', 'identity_fp32/1']));
    const never = { count: 0, ns: 0 };
    const inference_stats = Object.fromEntries(
      ['success', 'fail', 'queue', 'compute_input', 'compute_infer', 'compute_output', 'cache_hit', 'cache_miss'].map((name) => [
        name,
        never,
      ]),
    );
    expect(await json('/v2/models/digits/versions/1/stats')).toEqual({
      model_stats: [
        {
          name: 'digits',
          version: '1',
          last_inference: 0,
          inference_count: 0,
          execution_count: 0,
          inference_stats,
          response_stats: {},
          batch_stats: [],
          memory_usage: [],
        },
      ],
    });
  });

  it('tell that a model is ready', async () => {
    expect(await json('/v2/models/digits/ready')).toEqual({ name: 'digits', ready: true });
    expect(await json('/v2/models/digits/versions/1/ready')).toEqual({ name: 'digits', ready: true });
  });

  it.each(['', '/ready', '/config'])('of an unknown model are not found: /v2/models/nobody%s', async (rest) => {
    const answer = await http.get(`/v2/models/nobody${rest}`);
    expect([answer.status, errorOf(answer)]).toEqual([404, { error: "Request for unknown model: 'nobody' is not found" }]);
  });
});

describe('routes', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/v2/'],
    ['GET', '/v3'],
    ['GET', '/v2/health/live/'],
    ['POST', '/v2/models/digits/infer/'],
    ['POST', '/v2/models/digits/versions/latest/infer'],
    ['POST', '/v2/models/digits/predict'],
    ['GET', '/v2/models'],
  ])('%s %s does not exist', async (method, path) => {
    const answer = await http.request(method, path);
    expect([answer.status, errorOf(answer)]).toEqual([404, { error: 'Not Found' }]);
  });

  it.each([
    ['GET', '/v2/models/digits/infer', 'POST'],
    ['OPTIONS', '/v2/models/digits/infer', 'POST'],
    ['POST', '/v2', 'GET, HEAD'],
    ['OPTIONS', '/v2', 'GET, HEAD'],
    ['DELETE', '/v2/models/digits', 'GET, HEAD'],
    ['PUT', '/ready', 'GET, HEAD'],
    ['GET', '/v2/repository/index', 'POST'],
  ])('%s %s is the wrong verb, and the answer says which is right', async (method, path, allow) => {
    const answer = await http.request(method, path);
    expect([answer.status, errorOf(answer)]).toEqual([405, { error: 'Method Not Allowed' }]);
    expect(answer.headers['allow']).toBe(allow);
  });

  it.each([
    ['POST', '/v2/repository/index', 'model repository'],
    ['POST', '/v2/repository/models/digits/load', 'model repository'],
    ['POST', '/v2/repository/models/digits/unload', 'model repository'],
    ['GET', '/v2/systemsharedmemory/status', 'shared memory'],
    ['POST', '/v2/cudasharedmemory/region/r/register', 'shared memory'],
    ['GET', '/v2/trace/setting', 'trace'],
    ['POST', '/v2/models/digits/trace/setting', 'trace'],
    ['GET', '/v2/logging', 'logging'],
    ['POST', '/v2/models/digits/generate', 'generate'],
    ['POST', '/v2/models/digits/generate_stream', 'generate'],
  ])('%s %s belongs to the protocol and is not offered', async (method, path, feature) => {
    const answer = await http.request(method, path, method === 'POST' ? '{}' : undefined);
    expect([answer.status, errorOf(answer)]).toEqual([501, { error: `the ${feature} extension is not offered by this server` }]);
  });

  it('answers HEAD like GET, without the body', async () => {
    for (const path of ['/v2', '/ready', '/v2/models/digits/config']) {
      const [head, get] = [await http.request('HEAD', path), await http.get(path)];
      expect(head.status).toBe(200);
      expect(head.headers['content-length']).toBe(String(get.body.length));
      expect(head.body.length).toBe(0);
    }
  });

  it('takes percent-encoded model names and ignores a query', async () => {
    expect(await json('/v2/models/%64igits/ready?verbose=1')).toEqual({ name: 'digits', ready: true });
  });
});

describe('the management port', () => {
  it('has metrics and probes and nothing else', async () => {
    expect((await management.get('/metrics')).headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect((await management.get('/v2/models/digits')).status).toBe(404);
    const wrong = await management.request('POST', '/metrics');
    expect([wrong.status, wrong.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });
});
