/** The model that is measured: a folder as in a model repository, and copies of it with other settings. */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, link, mkdir, readdir, realpath, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { OptionsError } from '../../config/load.js';
import { readConfigFile } from '../../models/config-file.js';
import { LATENCY_GOAL } from '../../models/model-config.js';
import { CONFIG_FILENAMES, scanRepositories, type FoundModel } from '../../models/repository.js';
import { chooseVersions } from '../../models/version-policy.js';
import type { ServerSettings } from '../server-settings.js';
import { messagesOf, settledConfig, without, type Fields } from './settled-config.js';

/** How it is measured, whatever the settings. */
export interface TestChoices {
  /** Of inputs in requests, whole, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly data: 'random' | 'zeros';
  /** Of the data. */
  readonly seed: number;
  /**
   * The parameter latency_goal_ms of the configuration; 0 = none, whatever the model's own configuration says.
   */
  readonly latencyGoalMs: number;
}

export interface ModelUnderTest {
  readonly folder: string;
  readonly name: string;
  /** The fields of its configuration as the file has them; null = it has none. */
  readonly config: Fields | null;
  /** The one that is measured: what clients get who name none. */
  readonly version: number;
  readonly versionFolder: string;
  /** Of the configuration and of every file of the version (SHA-256, hexadecimal). */
  readonly hash: string;
  readonly choices: TestChoices;
}

/** The folder of a model that has no version folders may hold a plan of it, which this file tells. */
const PLAN = 'plan.json';
const DEFAULT_CHOICES: TestChoices = { shapes: new Map(), data: 'random', seed: 1, latencyGoalMs: 0 };

/**
 * `path`: the folder of a model, such as models/digits; the last part is its name, also where that is a link to a folder of another name. Throws
 * `OptionsError` for what is no model, ERR_MODEL_CONFIG when its configuration is wrong, and the reason of `stop`. Reads all files of the version
 * once, for the hash.
 */
export async function openModel(path: string, choices: TestChoices = DEFAULT_CHOICES, stop?: AbortSignal): Promise<ModelUnderTest> {
  const found = await findModel(path);
  const { config, fields } = await readConfigFile(found);
  const available = found.versions.map(({ version }) => version);
  const newest = chooseVersions(config.versionPolicy, available).chosen.at(-1);
  const served = found.versions.find(({ version }) => version === newest);
  if (served === undefined) {
    throw new OptionsError([`${path}: the version_policy chooses none of the versions ${available.join(', ') || '(there are none)'}`]);
  }
  const hash = createHash('sha256').update(jsonOf(fields));
  for (const file of await filesOf(served.folder)) {
    hash.update(`\0${file}\0`);
    for await (const chunk of createReadStream(join(served.folder, file))) {
      stop?.throwIfAborted();
      hash.update(chunk as Buffer);
    }
  }
  const { version, folder: versionFolder } = served;
  return { folder: found.folder, name: basename(resolve(path)), config: fields, version, versionFolder, hash: hash.digest('hex'), choices };
}

async function findModel(path: string): Promise<FoundModel> {
  const folder = await realpath(path).catch(() => undefined);
  if (folder === undefined || !(await stat(folder)).isDirectory()) throw new OptionsError([`"${path}" is not the folder of a model`]);
  let { models } = await scanRepositories([folder], '');
  // Beside version folders there may be others, as in a repository, where the folder would count as a model.
  if (models.length > 0 && models.every(({ name }) => /^[1-9]\d*$/.test(name))) {
    ({ models } = await scanRepositories([folder], basename(folder)));
  }
  const model = models.find((candidate) => candidate.folder === folder);
  if (model !== undefined && model.fault === '') return model;
  const inside = models.map(({ name }) => name);
  const hint = inside.length === 0 ? 'it needs a file model.onnx or 1/model.onnx' : `it holds the models ${inside.join(', ')}: name one`;
  throw new OptionsError([`"${path}" is not the folder of a model: ${model?.fault ?? hint}`]);
}

/**
 * What config.json of a measured server says: the model's own configuration, with the fields replaced that the settings decide. Without a
 * goal it has none at all: a server that knows one drops what would be late, and that is to be measured.
 */
export function measuredConfig({ config, choices }: Pick<ModelUnderTest, 'config' | 'choices'>, settings: ServerSettings): Fields {
  const settled = settledConfig(config, settings);
  return {
    ...without(settled, 'name', 'version_policy', 'parameters'),
    ...parametersOf(settled['parameters'], choices.latencyGoalMs),
  };
}

function parametersOf(given: unknown, latencyGoalMs: number): Fields {
  const entries: Fields[] = messagesOf(given).flatMap((item) =>
    typeof item['key'] === 'string' ? [item] : Object.entries(item).map(([key, value]) => ({ key, value })),
  );
  const others = entries.filter((entry) => entry['key'] !== LATENCY_GOAL);
  // Never with an exponent, which the configuration does not know there.
  const goal = { string_value: latencyGoalMs.toFixed(6) };
  const all = [...others.map((entry) => [entry['key'], entry['value']]), ...(latencyGoalMs === 0 ? [] : [[LATENCY_GOAL, goal]])];
  return all.length === 0 ? {} : { parameters: Object.fromEntries(all) as Fields };
}

/** A repository in `root` that holds nothing but this model, with the settings. Links lead out of no repository, so files are shared, or copied. Throws the reason of `stop`. */
export async function writeRepository(root: string, model: ModelUnderTest, settings: ServerSettings, stop?: AbortSignal): Promise<void> {
  const folder = join(root, model.name);
  const version = join(folder, String(model.version));
  await mkdir(version, { recursive: true });
  await writeFile(join(folder, 'config.json'), jsonOf(measuredConfig(model, settings)));
  for (const file of await filesOf(model.versionFolder)) {
    stop?.throwIfAborted();
    const [from, to] = [await realpath(join(model.versionFolder, file)), join(version, file)];
    await mkdir(join(to, '..'), { recursive: true });
    // Another file system, or a file of somebody else.
    await link(from, to).catch(() => copyFile(from, to, constants.COPYFILE_FICLONE));
  }
}

/** Paths from the folder on, in one order always. Links count as what they point to. What is no file of a model is left out: plans of it, too. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const files: string[] = [];
  const names = await readdir(folder);
  if (names.includes(PLAN)) return [];
  for (const name of names.sort()) {
    const path = join(folder, name);
    if ((await stat(path)).isDirectory()) files.push(...(await filesOf(path)).map((inner) => join(name, inner)));
    else if (!CONFIG_FILENAMES.some((config) => config === name)) files.push(name);
  }
  return files;
}

/** Integers beyond 2^53 come from pbtxt as bigint; the configuration reader takes texts for them. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
}
