import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readModelConfig } from '../../../../src/models/model-config.js';
import { parsePbtxt } from '../../../../src/models/pbtxt.js';
import { measuredConfig, openModel, writeRepository } from '../../../../src/planning/measure/model-under-test.js';
import type { ServerSettings } from '../../../../src/planning/server-settings.js';

const SETTINGS: ServerSettings = { maxBatchSize: 8, lanes: 3, maxQueueDelayUs: null, cpuThreads: 1 };
const CHOICES = { shapes: new Map(), data: 'random', seed: 1, latencyGoalMs: 0 } as const;

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-model-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

describe('openModel', () => {
  it('takes the version that clients get who name none', async () => {
    const files = { 'm/1/model.onnx': 'a', 'm/2/model.onnx': 'b', 'm/3/model.onnx': 'c' };
    const newest = await openModel(join(folderOf(files), 'm'));
    expect(newest).toMatchObject({ name: 'm', version: 3, config: null });
    const policy = 'version_policy { specific { versions: [ 1, 2 ] } }';
    const chosen = await openModel(join(folderOf({ ...files, 'm/config.pbtxt': policy }), 'm'));
    expect(chosen).toMatchObject({ version: 2, config: { version_policy: { specific: { versions: [1, 2] } } } });
  });

  it('has the name of the folder that is given, also of a link to another one', async () => {
    const folder = folderOf({ 'digits-v3/1/model.onnx': 'a' });
    symlinkSync('digits-v3', join(folder, 'current'));
    await expect(openModel(`${join(folder, 'current')}/`)).resolves.toMatchObject({ name: 'current', version: 1 });
  });

  it('has another hash when any file of the version or the configuration differs', async () => {
    const hashOf = async (files: Readonly<Record<string, string>>): Promise<string> => (await openModel(join(folderOf(files), 'm'))).hash;
    const files = { 'm/1/model.onnx': 'a', 'm/1/weights.bin': 'b' };
    const hash = await hashOf(files);
    await expect(hashOf(files)).resolves.toBe(hash);
    await expect(hashOf({ ...files, 'm/1/weights.bin': 'c' })).resolves.not.toBe(hash);
    await expect(hashOf({ ...files, 'm/config.pbtxt': 'max_batch_size: 1' })).resolves.not.toBe(hash);
  });

  it('leaves out the plans that lie in the folder of the model', async () => {
    const folder = folderOf({ 'm/model.onnx': 'a', 'm/weights/w.bin': 'b' });
    const { hash } = await openModel(join(folder, 'm'));
    mkdirSync(join(folder, 'm/plan/runs'), { recursive: true });
    writeFileSync(join(folder, 'm/plan/plan.json'), '{}');
    writeFileSync(join(folder, 'm/plan/runs/1.json'), '{}');
    const model = await openModel(join(folder, 'm'));
    expect(model.hash).toBe(hash);
    await writeRepository(join(folder, 'r'), model, SETTINGS);
    expect(readFileSync(join(folder, 'r/m/1/weights/w.bin'), 'utf8')).toBe('b');
    expect(statSync(join(folder, 'r/m/1/plan'), { throwIfNoEntry: false })).toBeUndefined();
  });

  it('takes a folder of versions for a model, whatever else lies beside them', async () => {
    const folder = folderOf({ 'm/1/model.onnx': 'a', 'm/2/model.onnx': 'b', 'm/samples/seven.json': '{}' });
    await expect(openModel(join(folder, 'm'))).resolves.toMatchObject({ name: 'm', version: 2 });
  });

  it('ends early when it is told to', async () => {
    const folder = folderOf({ 'm/model.onnx': 'a' });
    const stop = AbortSignal.abort(new Error('enough'));
    await expect(openModel(join(folder, 'm'), CHOICES, stop)).rejects.toThrow('enough');
    await expect(writeRepository(join(folder, 'r'), await openModel(join(folder, 'm')), SETTINGS, stop)).rejects.toThrow('enough');
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['nothing', {}, /"\S+\/m" is not the folder of a model$/],
    ['an empty folder', { 'm/notes/a.txt': '' }, /it needs a file model\.onnx or 1\/model\.onnx/],
    ['a repository', { 'm/x/1/model.onnx': 'a', 'm/y/1/model.onnx': 'a' }, /it holds the models x, y: name one/],
    [
      'a model whose policy chooses nothing',
      { 'm/1/model.onnx': 'a', 'm/config.json': '{"version_policy":{"specific":{"versions":[7]}}}' },
      /chooses none/,
    ],
  ])('refuses %s', async (_, files, message) => {
    const opening = openModel(join(folderOf(files), 'm'));
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toMatchObject({ code: 'ERR_CONFIG_OPTION' });
  });
});

describe('measuredConfig', () => {
  const given = (pbtxt: string): Readonly<Record<string, unknown>> => parsePbtxt(pbtxt, 'config.pbtxt');
  const merged = (pbtxt: string | null, settings: Partial<ServerSettings> = {}, latencyGoalMs = 0): ReturnType<typeof measuredConfig> => {
    const config = pbtxt === null ? null : given(pbtxt);
    const fields = measuredConfig({ config, choices: { ...CHOICES, latencyGoalMs } }, { ...SETTINGS, ...settings });
    expect(readModelConfig(JSON.parse(JSON.stringify(fields)), 'config.json').warnings).toEqual([]);
    return fields;
  };
  const COMPLETE = 'input { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } output { name: "y" data_type: TYPE_FP32 dims: [ 4 ] }';

  it('replaces what the settings decide, and keeps everything else', () => {
    const fields = merged(
      `name: "m" max_batch_size: 64 ${COMPLETE} version_policy { all { } } instance_group [ { count: 2 kind: KIND_CPU } ]
       dynamic_batching { preferred_batch_size: [ 64 ] max_queue_delay_microseconds: 500 preserve_ordering: true }`,
    );
    expect(fields).toEqual({
      input: given(COMPLETE)['input'],
      output: given(COMPLETE)['output'],
      max_batch_size: 8,
      instance_group: [{ kind: 'KIND_CPU', count: 3 }],
      dynamic_batching: { preserve_ordering: true },
    });
    expect(merged(COMPLETE, { maxQueueDelayUs: 250 })).toMatchObject({ dynamic_batching: { max_queue_delay_microseconds: 250 } });
    expect(merged(`${COMPLETE} dynamic_batching { }`, { maxBatchSize: 0 })).not.toHaveProperty('dynamic_batching');
  });

  it('lets the server find out itself whether rows may share a batch where nobody has vouched for it', () => {
    expect(merged(null)).toEqual({ max_batch_size: 8, instance_group: [{ count: 3 }] });
    expect(merged(COMPLETE)).not.toHaveProperty('dynamic_batching');
    expect(merged(`${COMPLETE} dynamic_batching { }`)).toMatchObject({ dynamic_batching: {} });
  });

  it('sets the latency goal among other parameters', () => {
    const cuda = 'parameters { key: "gpu_mem_limit" value { string_value: "1000" } }';
    const old = 'parameters { key: "latency_goal_ms" value { string_value: "7" } }';
    const parameters = { gpu_mem_limit: { string_value: '1000' }, latency_goal_ms: { string_value: '20.500000' } };
    expect(merged(`${COMPLETE} ${cuda} ${old}`, {}, 20.5)).toMatchObject({ parameters });
  });

  it('is measured without the latency goal that the configuration has, unless a goal is given', () => {
    const goal = { latency_goal_ms: { string_value: '7' } };
    expect(measuredConfig({ config: { parameters: goal }, choices: CHOICES }, SETTINGS)).not.toHaveProperty('parameters');
    const parameters = { ...goal, gpu_mem_limit: { string_value: '1000' } };
    expect(measuredConfig({ config: { parameters }, choices: CHOICES }, SETTINGS)['parameters']).toEqual({
      gpu_mem_limit: { string_value: '1000' },
    });
  });
});

describe('writeRepository', () => {
  it('shares the files of the one version, and follows links', async () => {
    const folder = folderOf({ 'm/1/model.onnx': 'old', 'm/2/model.onnx': 'new', 'elsewhere/w.bin': 'weights' });
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'm/2/data'));
    const model = await openModel(join(folder, 'm'));
    await writeRepository(join(folder, 'r'), model, SETTINGS);
    expect(readFileSync(join(folder, 'r/m/2/data/w.bin'), 'utf8')).toBe('weights');
    expect(statSync(join(folder, 'r/m/2/model.onnx')).ino).toBe(statSync(join(folder, 'm/2/model.onnx')).ino);
    expect(statSync(join(folder, 'r/m/1'), { throwIfNoEntry: false })).toBeUndefined();
    expect(JSON.parse(readFileSync(join(folder, 'r/m/config.json'), 'utf8'))).toMatchObject({ max_batch_size: 8 });
  });

  it('puts the single file of a model without versions where one is expected', async () => {
    const folder = folderOf({ 'm/model.onnx': 'a', 'm/config.pbtxt': 'max_batch_size: 2' });
    const model = await openModel(join(folder, 'm'));
    await writeRepository(join(folder, 'r'), model, SETTINGS);
    expect(readFileSync(join(folder, 'r/m/1/model.onnx'), 'utf8')).toBe('a');
    expect(statSync(join(folder, 'r/m/1/config.pbtxt'), { throwIfNoEntry: false })).toBeUndefined();
  });
});
