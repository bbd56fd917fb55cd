import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfigFile } from '../../../src/models/config-file.js';
import { modelFile, scanRepositories, type FoundModel } from '../../../src/models/repository.js';
import { temporaryFolder } from './temporary-folder.js';

async function only(root: string, modelName = ''): Promise<FoundModel> {
  const { models } = await scanRepositories([root], modelName);
  expect(models).toHaveLength(1);
  return models[0] as FoundModel;
}

async function fileOf(model: FoundModel, filename = 'model.onnx'): Promise<string> {
  const [version] = model.versions;
  if (version === undefined) throw new Error('the model has no version');
  return modelFile(model, version, filename);
}

describe('a model repository', () => {
  it('holds a folder for each model and a folder for each version', async () => {
    const root = temporaryFolder({ 'b/2/model.onnx': '', 'b/10/model.onnx': '', 'a/1/model.onnx': '', 'README.md': '' });
    const { models } = await scanRepositories([root], '');
    expect(models.map(({ name, versions }) => [name, versions.map(({ version }) => version)])).toEqual([
      ['a', [1]],
      ['b', [2, 10]],
    ]);
  });

  it('has versions that are whole numbers from 1 without a leading 0; other folders are no versions', async () => {
    const names = ['0', '01', '-1', '1.5', 'x', '+1', '1e3', '99999999999999999999', '١'];
    const root = temporaryFolder({ 'm/3/model.onnx': '', ...Object.fromEntries(names.map((name) => [`m/${name}/model.onnx`, ''])) });
    const { models, ignored } = await scanRepositories([root], '');
    expect(models[0]?.versions.map(({ version }) => version)).toEqual([3]);
    expect(ignored).toHaveLength(names.length);
  });

  it('may be the root of a volume, where the file system has a folder of its own', async () => {
    const root = temporaryFolder({ 'm/1/model.onnx': '', 'lost+found/1/x': '' });
    chmodSync(join(root, 'lost+found'), 0o000);
    const { models, warnings, ignored } = await scanRepositories([root], '');
    expect(models.map(({ name, fault }) => [name, fault])).toEqual([['m', '']]);
    expect([warnings.length, ignored.length]).toEqual([0, 1]);
  });

  it('may hold a folder with a single model file and no version folder', async () => {
    const root = temporaryFolder({ 'm/model.onnx': '', 'm/config.json': '{}' });
    const model = await only(root);
    expect(model).toMatchObject({ name: 'm', fault: '', versions: [{ version: 1 }], configFiles: ['config.json'] });
    await expect(fileOf(model)).resolves.toBe(join(root, 'm/model.onnx'));
  });

  it.each([
    ['a single model file', { 'model.onnx': '', 'tokenizer/vocab.txt': '' }],
    ['a configuration and versions', { 'config.pbtxt': '', '1/model.onnx': '', 'samples/x.json': '' }],
    ['nothing but versions', { '1/model.onnx': '', '2/model.onnx': '' }],
  ])('may itself be a model: %s', async (_what, files) => {
    const root = temporaryFolder(files);
    expect(await only(root)).toMatchObject({ name: basename(root), folder: root, nameIsChosen: false });
  });

  it('may be a model with a chosen name', async () => {
    const root = temporaryFolder({ 'model.onnx': '' });
    expect(await only(root, 'digits')).toMatchObject({ name: 'digits', nameIsChosen: true, versions: [{ version: 1 }] });
  });

  it.each(['', '..', '.hidden', 'a/b', 'a\\b', '../../etc', 'a\u0000b', ' '].filter((name) => name !== ''))(
    'refuses the chosen name %j',
    async (name) => {
      await expect(scanRepositories([temporaryFolder({ 'model.onnx': '' })], name)).rejects.toMatchObject({ code: 'ERR_CONFIG_OPTION' });
    },
  );

  it('must be one folder that is a model where a name is chosen', async () => {
    const root = temporaryFolder({ 'm/1/model.onnx': '' });
    await expect(scanRepositories([root], 'm')).rejects.toThrow('expected a model folder');
    await expect(scanRepositories([root, root], 'm')).rejects.toThrow('expected one --model-repository');
  });

  it('must exist', async () => {
    const root = temporaryFolder({ file: '' });
    await expect(scanRepositories([join(root, 'none')], '')).rejects.toThrow(
      /^--model-repository: found ".*none", expected a folder that can be read \(no such/,
    );
    await expect(scanRepositories([join(root, 'file')], '')).rejects.toMatchObject({ code: 'ERR_CONFIG_OPTION' });
  });

  it('shares no model name with another one: both are refused, the other models are not', async () => {
    const one = temporaryFolder({ 'm/1/model.onnx': '', 'a/1/model.onnx': '' });
    const two = temporaryFolder({ 'm/2/model.onnx': '' });
    const { models, warnings } = await scanRepositories([one, two], '');
    expect(models.map(({ name, fault }) => [name, fault !== ''])).toEqual([
      ['a', false],
      ['m', true],
    ]);
    expect(models[1]?.versions.map(({ version }) => version)).toEqual([1, 2]);
    expect(warnings).toEqual([expect.stringContaining('is in both')]);
  });

  it('may be given twice', async () => {
    const root = temporaryFolder({ 'm/1/model.onnx': '' });
    expect((await scanRepositories([root, `${root}/`], '')).models[0]?.fault).toBe('');
  });

  it('is passed over where names cannot be model names, with a warning unless they are hidden', async () => {
    const root = temporaryFolder({ '.git/1/model.onnx': '', 'a\\b/1/model.onnx': '', 'a\nb/1/model.onnx': '', ' /1/model.onnx': '' });
    const { models, warnings, ignored } = await scanRepositories([root], '');
    expect([models.length, warnings.length, ignored.length]).toEqual([0, 3, 1]);
    expect(warnings.join()).not.toContain('\n');
  });

  it('is passed over where a folder is no model, with a warning', async () => {
    const { models, warnings } = await scanRepositories([temporaryFolder({ 'docs/a.md': '', 'empty/': '' })], '');
    expect([models.length, warnings.length]).toEqual([0, 2]);
  });

  it('refuses a model with a configuration and no version', async () => {
    expect(await only(temporaryFolder({ 'm/config.pbtxt': '' }))).toMatchObject({
      name: 'm',
      fault: expect.stringContaining('no version folder') as string,
    });
  });
});

describe('the model file of a version', () => {
  it('may lie in a folder of its own name, with its external data', async () => {
    const root = temporaryFolder({ 'm/1/model.onnx/model.onnx': '', 'm/1/model.onnx/weights.bin': '' });
    await expect(fileOf(await only(root))).resolves.toBe(join(root, 'm/1/model.onnx/model.onnx'));
  });

  it('may have the name that the configuration gives', async () => {
    const root = temporaryFolder({ 'm/1/net.onnx': '' });
    await expect(fileOf(await only(root), 'net.onnx')).resolves.toBe(join(root, 'm/1/net.onnx'));
  });

  it('may be reached over links as Kubernetes mounts volumes', async () => {
    const root = temporaryFolder({ '..2024_05/m/1/model.onnx': '', '..2024_05/m/config.pbtxt': 'max_batch_size: 3' });
    symlinkSync('..2024_05', join(root, '..data'));
    symlinkSync('..data/m', join(root, 'm'));
    const model = await only(root);
    await expect(fileOf(model)).resolves.toBe(join(root, '..2024_05/m/1/model.onnx'));
    await expect(readConfigFile(model)).resolves.toMatchObject({ config: { maxBatchSize: 3 } });
  });

  it.each(['m', 'm/1', 'm/1/model.onnx'])('must not be reached over a link at %s that leads out of the repository', async (place) => {
    const outside = temporaryFolder({ 'm/1/model.onnx': '' });
    const root = temporaryFolder({});
    mkdirSync(join(root, place, '..'), { recursive: true });
    symlinkSync(join(outside, place), join(root, place));
    const model = await only(root);
    if (model.fault === '') await expect(fileOf(model)).rejects.toThrow('leads out of the model repository');
    else expect(model.fault).toContain('m is a link that leads out of the model repository');
  });

  it('must exist and be a regular file', async () => {
    const root = temporaryFolder({ 'm/1/': '' });
    const model = await only(root);
    await expect(fileOf(model)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_LOAD', message: 'm/1/model.onnx: no such file or folder' }),
    );
    execFileSync('mkfifo', [join(root, 'm/1/model.onnx')]);
    await expect(fileOf(model)).rejects.toThrow('m/1/model.onnx is not a regular file');
  });

  it('is not found over a link that goes in circles', async () => {
    const root = temporaryFolder({ 'm/1/': '' });
    symlinkSync('model.onnx', join(root, 'm/1/model.onnx'));
    await expect(fileOf(await only(root))).rejects.toThrow('m/1/model.onnx: too many links');
  });
});

describe('the configuration file of a model', () => {
  const read = async (files: Readonly<Record<string, string>>, modelName = ''): Promise<Awaited<ReturnType<typeof readConfigFile>>> =>
    readConfigFile(await only(temporaryFolder(files), modelName));

  it('may be missing', async () => {
    expect((await read({ 'm/model.onnx': '' })).config.maxBatchSize).toBeUndefined();
  });

  it('must be one file, not two', async () => {
    const files = { 'm/1/model.onnx': '', 'm/config.pbtxt': '', 'm/config.json': '{}' };
    await expect(read(files)).rejects.toThrow('m: configuration: found config.pbtxt and config.json, expected one file; fix: remove one');
  });

  it('must have the name of the folder, if it has one', async () => {
    const files = { 'm/1/model.onnx': '', 'm/config.json': '{"name": "other"}' };
    await expect(read(files)).rejects.toThrow('config.json: name: found "other", expected "m", the folder\'s name; fix: set name: "m"');
  });

  it('may have another name than the one chosen on the command line', async () => {
    const { warnings } = await read({ 'model.onnx': '', 'config.json': '{"name": "other"}' }, 'digits');
    expect(warnings).toEqual(['config.json: name: "other" is not used, because --model-name is "digits"']);
  });

  it.each([
    ['{"a": 1,\n }', 'config.json:2:2: '],
    ['{"a"', 'config.json:1:5: '],
    ['', 'config.json:1:1: '],
    ['{\n"a": }', "config.json: Unexpected token '}'"],
  ])('is refused with its place where its JSON is malformed: %j', async (text, message) => {
    await expect(read({ 'm/1/model.onnx': '', 'm/config.json': text })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_CONFIG', message: expect.stringContaining(message) as string }),
    );
  });

  it.skipIf(process.getuid?.() === 0)('is not called wrongly encoded when it may not be read', async () => {
    const root = temporaryFolder({ 'm/1/model.onnx': '', 'm/config.pbtxt': '' });
    chmodSync(join(root, 'm/config.pbtxt'), 0);
    await expect(readConfigFile(await only(root))).rejects.toMatchObject({
      code: 'ERR_MODEL_LOAD',
      message: 'config.pbtxt: permission denied',
    });
  });

  it('may begin with a byte order mark', async () => {
    expect((await read({ 'm/model.onnx': '', 'm/config.pbtxt': '\uFEFFmax_batch_size: 2' })).config.maxBatchSize).toBe(2);
  });

  it('is refused where it is larger than 1 MiB', async () => {
    const files = { 'm/model.onnx': '', 'm/config.pbtxt': '#'.repeat(2 ** 20 + 1) };
    await expect(read(files)).rejects.toThrow('config.pbtxt: found 1048577 bytes, expected at most 1048576');
  });
});
