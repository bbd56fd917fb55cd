import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import type {
  NativeCatalogModel,
  NativeCreatedVersion,
  NativeSession,
  NativeSessionOptions,
  NativeSignature,
  NativeVersionSpec,
} from '../../../src/bridge/control.js';
import { ServerError } from '../../../src/errors.js';
import type { Hold } from '../../../src/models/model-holds.js';
import { ModelStore, type ModelControl, type ModelLog, type ModelStoreOptions } from '../../../src/models/life-cycle.js';
import { temporaryFolder } from './temporary-folder.js';
import { usableGpus } from './usable-gpus.js';

const SIGNATURE: NativeSignature = {
  inputs: [{ name: 'x', dataType: 11, dims: [-1, 2], symbolicDims: ['n', ''], optional: false }],
  outputs: [{ name: 'y', dataType: 11, dims: [-1, 2], symbolicDims: ['n', ''], optional: false }],
  metadata: {},
};

/** Opens every file whose path does not hold "bad"; each load ends when the test says so, or at once. */
class FakeEngine implements ModelControl {
  readonly published: (readonly NativeCatalogModel[])[] = [];
  readonly specs: NativeVersionSpec[] = [];
  readonly sessions: NativeSessionOptions[] = [];
  /** ONNX Runtime can use GPUs. */
  hasProvider = true;
  readonly gates: (() => void)[] = [];
  /** Of the model files, in the order of `gates`, which is not always that of the models: each is first looked for on a real disk. */
  readonly paths: string[] = [];
  openSessions = 0;
  openHandles = 0;
  mostAtOnce = 0;
  /** What the engine makes of each version. */
  created: Partial<NativeCreatedVersion> = {};
  /** What it has to say of whatever it serves. */
  readonly news: string[] = [];
  #running = 0;

  constructor(readonly gated = false) {}

  async openSession(options: NativeSessionOptions): Promise<NativeSession> {
    const { modelPath, gpus } = options;
    this.paths.push(modelPath);
    this.sessions.push(options);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#running);
    await new Promise<void>((open) => (this.gated ? this.gates.push(open) : setImmediate(open)));
    this.#running--;
    if (gpus.length > 0 && !this.hasProvider) throw new ServerError('ERR_CUDA_PROVIDER', 'it is not installed');
    if (modelPath.includes('bad')) throw new ServerError('ERR_MODEL_LOAD', `Load model from ${modelPath} failed: broken`);
    this.openSessions++;
    return { signature: () => SIGNATURE, close: () => void this.openSessions-- };
  }

  createVersion(_session: NativeSession, spec: NativeVersionSpec): Promise<NativeCreatedVersion> {
    this.specs.push(spec);
    this.openHandles++;
    const handle = { newNotes: () => this.news.splice(0), close: () => void this.openHandles-- };
    return Promise.resolve({ handle, lanes: spec.lanes, merges: false, pads: false, notes: [], memory: [], ...this.created });
  }

  publishCatalog(models: readonly NativeCatalogModel[]): void {
    this.published.push(models);
  }

  get catalog(): unknown {
    return this.published
      .at(-1)
      ?.map(({ name, defaultVersion, versions }) => [
        name,
        defaultVersion,
        versions.map(({ version, handle }) => [version, handle !== null]),
      ]);
  }
}

interface Setup {
  readonly engine: FakeEngine;
  readonly store: ModelStore;
  readonly lines: string[];
}

function setUp(files: Readonly<Record<string, string>>, more: Partial<ModelStoreOptions> = {}, engine = new FakeEngine()): Setup {
  const lines: string[] = [];
  const line =
    (level: string) =>
    (_fields: object, message: string): void =>
      void lines.push(`${level}: ${message.replace(/\d+ ms/, 'N ms')}`);
  const log: ModelLog = { debug: () => {}, info: line('info'), warn: line('warn'), error: line('error') };
  const options = {
    repositories: [temporaryFolder(files)],
    modelName: '',
    defaultLanes: { cpu: 2, gpu: 2 },
    gpus: () => ({ gpus: [], reason: 'there is no driver' }),
    maxQueueSize: 100,
    maxQueueBytes: 1000,
    parallelLoads: 2,
  };
  return { engine, lines, store: new ModelStore(engine, log, { ...options, ...more }) };
}

/** Waits until `count` loads have begun; the files before them are read from a real disk. */
async function begun(engine: FakeEngine, count: number): Promise<void> {
  await vi.waitFor(() => expect(engine.gates).toHaveLength(count));
}

describe('loading all models', () => {
  it('serves each of them with its documents, lanes and queue', async () => {
    const config = 'max_batch_size: 4 instance_group { count: 3 } dynamic_batching { default_queue_policy { max_queue_size: 7 } }';
    const { engine, store } = setUp({ 'm/1/model.onnx': '', 'm/config.pbtxt': config });
    await store.loadAll();
    const tensor = { dataType: 11, dims: [-1, 2] };
    expect(engine.specs).toEqual([
      {
        modelName: 'm',
        version: 1,
        maxBatchSize: 4,
        inputs: [{ name: 'x', ...tensor, optional: false }],
        outputs: [{ name: 'y', ...tensor }],
        lanes: 3,
        lanesIfFaster: false,
        batching: expect.objectContaining({ merge: 'always', maxQueueSize: 0, maxQueueBytes: 1000 }) as object,
        paddedInputs: [],
        cutOutputs: [],
        conversions: [],
      },
    ]);
    const model = engine.published.at(-1)?.[0];
    expect(JSON.parse(model?.metadataJson ?? '')).toMatchObject({ name: 'm', versions: ['1'] });
    expect(JSON.parse(model?.versions[0]?.configJson ?? '')).toMatchObject({ name: 'm', max_batch_size: 4 });
    expect(engine.openSessions).toBe(0);
    expect(store.failedModels()).toEqual([]);
  });

  it('serves only the versions that the policy chooses, and the highest by default', async () => {
    const { engine, store } = setUp({
      'm/1/model.onnx': '',
      'm/9/model.onnx': '',
      'm/10/model.onnx': '',
      'm/config.json': '{"version_policy":{"latest":{"num_versions":2}}}',
    });
    await store.loadAll();
    expect(engine.catalog).toEqual([
      [
        'm',
        10,
        [
          [9, true],
          [10, true],
        ],
      ],
    ]);
    expect(JSON.parse(engine.published.at(-1)?.[0]?.metadataJson ?? '')).toMatchObject({ versions: ['9', '10'] });
  });

  it('names every version before it is loaded, and serves each as soon as it is', async () => {
    const engine = new FakeEngine(true);
    const { store } = setUp({ 'a/1/model.onnx': '', 'b/1/model.onnx': '', 'c/1/model.onnx': '' }, {}, engine);
    const loading = store.loadAll();
    await begun(engine, 2);
    expect(engine.catalog).toEqual([
      ['a', 0, [[1, false]]],
      ['b', 0, [[1, false]]],
      ['c', 0, [[1, false]]],
    ]);
    expect(store.models().map(({ versions }) => versions[0]?.state)).toEqual(['LOADING', 'LOADING', 'UNKNOWN']);
    engine.gates[engine.paths.findIndex((path) => path.includes('/b/'))]?.();
    await begun(engine, 3);
    expect(engine.catalog).toEqual([
      ['a', 0, [[1, false]]],
      ['b', 1, [[1, true]]],
      ['c', 0, [[1, false]]],
    ]);
    expect(store.progress()).toEqual({ over: false, done: 1, total: 3 });
    for (const open of engine.gates) open();
    await loading;
    expect(store.progress()).toEqual({ over: true, done: 3, total: 3 });
    expect(engine.mostAtOnce).toBe(2);
  });

  it('goes on past a bad version and a bad model, and says why they are not ready', async () => {
    const { engine, store, lines } = setUp({
      'a/1/model.onnx': '',
      'a/2/bad.onnx': '',
      'a/config.pbtxt': 'version_policy { all { } } default_model_filename: "model.onnx"',
      'bad/1/model.onnx': '',
      'c/1/model.onnx': '',
      'c/config.pbtxt': 'max_batch_size: -1',
      'd/1/model.onnx': '',
      'd/config.json': '{"version_policy":{"specific":{"versions":[1,5]}}, "typo": 1}',
      'e/1/model.onnx': '',
      'e/config.json': '{"instance_group":[{"kind":"KIND_GPU"}]}',
    });
    await store.loadAll();
    expect(engine.catalog).toEqual([
      [
        'a',
        1,
        [
          [1, true],
          [2, false],
        ],
      ],
      ['bad', 0, [[1, false]]],
      ['c', 0, [[1, false]]],
      [
        'd',
        1,
        [
          [1, true],
          [5, false],
        ],
      ],
      ['e', 0, [[1, false]]],
    ]);
    expect(store.failedModels().map(({ name, readyVersions, reason }) => [name, readyVersions, reason])).toEqual([
      ['a', 1, 'version 2: a/2/model.onnx: no such file or folder'],
      ['bad', 0, 'version 1: Load model from bad/1/model.onnx failed: broken'],
      ['c', 0, expect.stringContaining('config.pbtxt: max_batch_size: found -1')],
      ['d', 1, 'version 5: config.json: version_policy names version 5, which has no folder'],
      ['e', 0, 'config.json: instance_group[0].kind: KIND_GPU, but no GPU can be used: there is no driver'],
    ]);
    const codes = store.models().map(({ name, faultCode, versions }) => [name, faultCode, versions.map(({ code }) => code)]);
    expect(codes).toEqual([
      ['a', '', ['', 'ERR_MODEL_LOAD']],
      ['bad', '', ['ERR_MODEL_LOAD']],
      ['c', 'ERR_MODEL_CONFIG', ['ERR_MODEL_CONFIG']],
      ['d', '', ['', 'ERR_MODEL_CONFIG']],
      ['e', 'ERR_GPU_UNAVAILABLE', ['ERR_GPU_UNAVAILABLE']],
    ]);
    const lackingGpus = store.models().filter(({ lacksGpu }) => lacksGpu);
    expect(lackingGpus.map(({ name }) => name)).toEqual(['e']);
    expect(engine.published.at(-1)?.[2]?.versions[0]?.reason).toContain('max_batch_size: found -1');
    expect(lines.filter((line) => !line.startsWith('info'))).toEqual([
      expect.stringMatching(/^error: model c is refused: config\.pbtxt: max_batch_size: found -1, expected .*; fix: /),
      'warn: config.json: typo is not a field of a model configuration and is ignored',
      'error: d version 5 failed: config.json: version_policy names version 5, which has no folder',
      'error: model e is refused: config.json: instance_group[0].kind: KIND_GPU, but no GPU can be used: there is no driver',
      'error: a version 2 failed: a/2/model.onnx: no such file or folder',
      'error: bad version 1 failed: Load model from bad/1/model.onnx failed: broken',
    ]);
    expect(lines.at(-1)).toBe('info: loading is over: 2 of 7 versions are ready');
  });

  it('runs models on the GPUs, one load on each at a time, and says so', async () => {
    const engine = new FakeEngine();
    const files = {
      'a/1/model.onnx': '',
      'b/1/model.onnx': '',
      'c/1/model.onnx': '',
      'c/config.json': '{"instance_group":[{"gpus":[1]}]}',
    };
    const { store, lines } = setUp(files, { gpus: () => usableGpus(2), parallelLoads: 3 }, engine);
    await store.loadAll();
    expect(engine.mostAtOnce).toBe(1);
    expect(engine.sessions.map(({ gpus, buckets, providerOptions }) => [gpus, buckets, providerOptions])).toEqual([
      [['GPU-0', 'GPU-1'], true, { cudnn_conv_algo_search: 'HEURISTIC' }],
      [['GPU-0', 'GPU-1'], true, { cudnn_conv_algo_search: 'HEURISTIC' }],
      [['GPU-1'], true, { cudnn_conv_algo_search: 'HEURISTIC' }],
    ]);
    expect(engine.specs.map(({ lanes, lanesIfFaster }) => [lanes, lanesIfFaster])).toEqual([
      [4, false],
      [4, false],
      [2, false],
    ]);
    expect(lines).toContain('info: loaded a version 1 in N ms, on GPUs 0, 1');
    expect(store.models().map(({ gpus, lacksGpu }) => [gpus, lacksGpu])).toEqual([
      [['GPU-0', 'GPU-1'], false],
      [['GPU-0', 'GPU-1'], false],
      [['GPU-1'], false],
    ]);
    expect(lines).toContain('info: loaded c version 1 in N ms, on GPU 1');
    expect(JSON.parse(engine.published.at(-1)?.[2]?.versions[0]?.configJson ?? '')).toMatchObject({
      instance_group: [{ kind: 'KIND_GPU', count: 2, gpus: [1] }],
    });
  });

  it('asks for CUDA graphs where a configuration does and there are GPUs, and says where there are none', async () => {
    const files = { 'a/1/model.onnx': '', 'b/1/model.onnx': '', 'b/config.json': '{"optimization":{"cuda":{"graphs":true}}}' };
    for (const gpus of [0, 1]) {
      const engine = new FakeEngine();
      const { store, lines } = setUp(files, { gpus: () => usableGpus(gpus), parallelLoads: 1 }, engine);
      await store.loadAll();
      expect(engine.sessions.map(({ graphs }) => graphs)).toEqual([false, gpus > 0]);
      const note = 'info: b version 1: optimization.cuda.graphs does nothing here: the model runs on the CPU';
      expect(lines.filter((line) => line === note)).toHaveLength(gpus > 0 ? 0 : 1);
    }
  });

  it('falls back to the CPU where ONNX Runtime cannot use the GPUs, unless the configuration insists on them', async () => {
    const engine = new FakeEngine();
    engine.hasProvider = false;
    const files = { 'a/1/model.onnx': '', 'b/1/model.onnx': '', 'b/config.json': '{"instance_group":[{"kind":"KIND_GPU"}]}' };
    const { store, lines } = setUp(files, { gpus: () => usableGpus(1) }, engine);
    await store.loadAll();
    expect(lines).toContain('warn: a version 1: it runs on the CPU, although there are GPUs: it is not installed');
    expect(lines).toContain('info: loaded a version 1 in N ms, on the CPU');
    expect(engine.specs).toMatchObject([{ modelName: 'a', lanes: 2, lanesIfFaster: true }]);
    expect(JSON.parse(engine.published.at(-1)?.[0]?.versions[0]?.configJson ?? '')).toMatchObject({
      instance_group: [{ kind: 'KIND_CPU', gpus: [] }],
    });
    expect(store.failedModels()).toMatchObject([{ name: 'b', reason: 'version 1: it is not installed' }]);
  });

  it('leaves a version out for as long as it is held back from the GPUs, serves the others meanwhile, and then loads it', async () => {
    const files = { 'bold/1/model.onnx': '', 'm/1/model.onnx': '', 'm/2/model.onnx': '', 'm/config.json': '{"version_policy":{"all":{}}}' };
    const holds = new Map([['m version 2', { forMs: 1, reason: 'it has ended the server 2 times within a day' }]]);
    let asked = 0;
    const holdOf = (label: string): Hold | undefined => {
      if (label === 'm version 2' && ++asked === 2) holds.clear();
      return holds.get(label);
    };
    const { engine, store, lines } = setUp(files, { gpus: () => usableGpus(1), parallelLoads: 1, holdOf });
    await store.loadAll();
    expect(lines).toContain('error: m version 2 failed: it has ended the server 2 times within a day');
    expect(engine.published.map((models) => models[1]?.versions[1]?.reason)).toContain('it has ended the server 2 times within a day');
    expect(store.models()[1]?.versions[0]).toMatchObject({ version: 1, state: 'READY' });
    await vi.waitFor(() => expect(store.models()[1]?.versions[1]).toMatchObject({ version: 2, state: 'READY', code: '' }));
    expect(engine.published.at(-1)?.[1]?.versions[1]?.handle).not.toBeNull();
  });

  it('names a version that is held back by a code of its own, and forgets its turn when it is closed', async () => {
    const holdOf = (): Hold => ({ forMs: 1, reason: 'later' });
    const { engine, store } = setUp({ 'm/1/model.onnx': '', 'n/1/model.onnx': '' }, { gpus: () => usableGpus(1), holdOf });
    await store.loadAll();
    expect(store.models()[0]?.versions).toMatchObject([{ state: 'UNAVAILABLE', reason: 'later', code: 'ERR_MODEL_HELD_BACK' }]);
    expect(store.failedModels()).toEqual([]);
    expect(store.progress()).toEqual({ over: true, done: 2, total: 2 });
    store.close();
    await sleep(20);
    expect(engine.sessions).toEqual([]);
  });

  it('does not hold back the only version there is', async () => {
    const holdOf = (): Hold => ({ forMs: 1000, reason: 'later' });
    const { store } = setUp({ 'm/1/model.onnx': '' }, { gpus: () => usableGpus(1), holdOf });
    await store.loadAll();
    expect(store.failedModels()).toEqual([]);
  });

  it('holds nothing back that runs on the CPU', async () => {
    const { store } = setUp({ 'm/1/model.onnx': '', 'n/1/model.onnx': '' }, { holdOf: () => ({ forMs: 1000, reason: 'later' }) });
    await store.loadAll();
    expect(store.failedModels()).toEqual([]);
  });

  it('closes the session of a model that its configuration does not fit', async () => {
    const { engine, store } = setUp({ 'm/1/model.onnx': '', 'm/config.pbtxt': 'input { name: "z" }' });
    await store.loadAll();
    expect([engine.openSessions, engine.openHandles]).toEqual([0, 0]);
    expect(store.failedModels()[0]?.reason).toContain('input[0].name: found "z"');
  });

  it('logs its progress', async () => {
    const { lines, store } = setUp({ 'm/1/model.onnx': '' });
    await store.loadAll();
    expect(lines).toEqual([
      'info: loading m version 1 (1 of 1)',
      'info: loaded m version 1 in N ms, on the CPU',
      'info: loading is over: 1 of 1 versions are ready',
    ]);
  });

  it('logs what the engine has found out and made of the version, and tells clients', async () => {
    const { engine, lines, store } = setUp({ 'm/1/model.onnx': '' });
    engine.created = { lanes: 1, merges: true, notes: ['one lane runs'] };
    await store.loadAll();
    expect(lines[1]).toBe('info: m version 1: one lane runs');
    expect(JSON.parse(engine.published.at(-1)?.[0]?.versions[0]?.configJson ?? '')).toMatchObject({
      instance_group: [{ count: 1 }],
      dynamic_batching: {},
    });
  });

  it('is done once, however often it is asked for', async () => {
    const { engine, store } = setUp({ 'm/1/model.onnx': '' });
    await Promise.all([store.loadAll(), store.loadAll()]);
    expect(engine.specs).toHaveLength(1);
  });

  it('is over, and says so, when a repository cannot be read', async () => {
    let changes = 0;
    const { store } = setUp({}, { repositories: ['/nowhere/at/all'], onChange: () => changes++ });
    await expect(store.loadAll()).rejects.toMatchObject({ code: 'ERR_CONFIG_OPTION' });
    expect([store.progress().over, changes]).toEqual([true, 1]);
  });

  it('warns of a repository without a model', async () => {
    const { lines, engine, store } = setUp({});
    await store.loadAll();
    expect(lines[0]).toMatch(/^warn: no model found/);
    expect(engine.published.at(-1)).toEqual([]);
  });
});

it('logs what becomes known of a version that is served', async () => {
  const { lines, engine, store } = setUp({ 'a/1/model.onnx': '' });
  await store.loadAll();
  engine.news.push('a lane goes without');
  store.tellNews();
  store.tellNews();
  expect(lines.filter((line) => line.includes('goes without'))).toEqual(['info: a version 1: a lane goes without']);
  store.close();
  engine.news.push('too late');
  store.tellNews();
  expect(lines.at(-1)).not.toContain('too late');
});

describe('closing', () => {
  it('drops the handles of what is loaded and of what is still being loaded', async () => {
    const engine = new FakeEngine(true);
    const { store } = setUp({ 'a/1/model.onnx': '', 'b/1/model.onnx': '', 'c/1/model.onnx': '' }, { parallelLoads: 1 }, engine);
    const loading = store.loadAll();
    await begun(engine, 1);
    engine.gates[0]?.();
    await begun(engine, 2);
    expect(engine.openHandles).toBe(1);
    store.close();
    const published = engine.published.length;
    engine.gates[1]?.();
    await loading;
    expect([engine.openHandles, engine.openSessions, engine.published.length, engine.gates.length]).toEqual([0, 0, published, 2]);
  });
});

it('loads the configurations of the models that come with the server', async () => {
  const repositories = [fileURLToPath(new URL('../../../models', import.meta.url))];
  const { lines, store } = setUp({}, { repositories });
  await store.loadAll();
  expect(store.models().map(({ name, versions }) => [name, versions.length])).toEqual([
    ['add_sub', 1],
    ['digits', 2],
    ['echo_text', 1],
  ]);
  expect(lines.filter((line) => line.startsWith('warn'))).toEqual([]);
});
