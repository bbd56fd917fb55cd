/** What lies in the model repositories: folders, versions and configuration files. Nothing is loaded or parsed here. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ServerError } from '../errors.js';
import { shown } from './config-fault.js';
import { realFileInside, realPathInside, reasonOf } from './inside-root.js';

export interface FoundVersion {
  readonly version: number;
  readonly folder: string;
}

export interface FoundModel {
  readonly name: string;
  /** The name came from --model-name, not from the folder. */
  readonly nameIsChosen: boolean;
  readonly folder: string;
  /** Real path of the repository; no file of the model may lie outside. */
  readonly root: string;
  /** Rising. A folder with a single model file is version 1. */
  readonly versions: readonly FoundVersion[];
  readonly configFiles: readonly ConfigFilename[];
  /** Why the model cannot be served; empty = nothing is wrong so far. */
  readonly fault: string;
}

export const CONFIG_FILENAMES = ['config.pbtxt', 'config.json'] as const;
export type ConfigFilename = (typeof CONFIG_FILENAMES)[number];

export interface RepositoryScan {
  /** By name. */
  readonly models: readonly FoundModel[];
  /** Things passed over that somebody may have meant as a model. */
  readonly warnings: readonly string[];
  /** Things passed over by rule. */
  readonly ignored: readonly string[];
}

interface Listing {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

const SINGLE_FILE = 'model.onnx';
/** At the root of ext4 volumes, and as a rule closed to all but root. */
const LOST_AND_FOUND = 'lost+found';
const VERSION_NAME = /^[1-9]\d{0,15}$/;

/**
 * `modelName` is not empty: the one folder given is itself a model and has this name. Otherwise each folder holds models, or is itself
 * a model named as the folder. Throws ERR_CONFIG_OPTION when a folder cannot be read.
 */
export async function scanRepositories(folders: readonly string[], modelName: string): Promise<RepositoryScan> {
  if (modelName !== '') checkModelName(modelName, folders.length);
  const scan = new Scan();
  const roots = new Set<string>();
  for (const folder of folders) {
    const root = await repositoryRoot(folder);
    if (!roots.has(root)) await scan.repository(root, modelName, basename(resolve(folder)));
    roots.add(root);
  }
  return scan.result();
}

/**
 * The path of a version's model file: `<folder>/<filename>`, or `model.onnx` inside when that is a folder (as exporters with external
 * data write it). Throws ERR_MODEL_LOAD.
 */
export async function modelFile(model: FoundModel, version: FoundVersion, filename: string): Promise<string> {
  const path = join(version.folder, filename);
  const real = await realPathInside(model.root, path);
  return realFileInside(model.root, (await stat(real)).isDirectory() ? join(path, SINGLE_FILE) : path);
}

class Scan {
  readonly #models = new Map<string, FoundModel>();
  readonly #warnings: string[] = [];
  readonly #ignored: string[] = [];

  result(): RepositoryScan {
    const models = [...this.#models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { models, warnings: this.#warnings, ignored: this.#ignored };
  }

  async repository(root: string, modelName: string, folderName: string): Promise<void> {
    const listing = await this.#list(root);
    if (modelName !== '' || isModelFolder(listing)) {
      const name = modelName === '' ? folderName : modelName;
      if (!isModelName(name))
        throw optionError('--model-repository', root, 'a folder of models; for one that is a model, give --model-name');
      const found = this.#modelOf(root, root, name, modelName !== '', listing);
      if (found === undefined) throw optionError('--model-name', root, `a model folder (${SINGLE_FILE}, or version folders such as 1)`);
      this.#add(found);
      return;
    }
    for (const name of listing.folders) await this.#modelFolder(root, name);
  }

  async #modelFolder(root: string, name: string): Promise<void> {
    const path = join(root, name);
    if (name.startsWith('.')) {
      this.#ignored.push(`${path}: the name starts with a dot`);
    } else if (name === LOST_AND_FOUND) {
      this.#ignored.push(`${path}: made by the file system`);
    } else if (!isModelName(name)) {
      this.#warnings.push(`${shown(path)} is ignored: a model name has no control characters or backslashes and is not blank`);
    } else {
      const shell = { name, nameIsChosen: false, folder: path, root, versions: [], configFiles: [], fault: '' };
      try {
        const folder = await realPathInside(root, path);
        const found = this.#modelOf(root, folder, name, false, await this.#list(folder));
        if (found === undefined) this.#warnings.push(`${path} is ignored: no configuration, no version folder and no ${SINGLE_FILE}`);
        else this.#add(found);
      } catch (thrown) {
        this.#add({ ...shell, fault: thrown instanceof ServerError ? thrown.message : `the folder ${reasonOf(thrown)}` });
      }
    }
  }

  /** undefined when nothing says that this is a model. */
  #modelOf(root: string, folder: string, name: string, nameIsChosen: boolean, { folders, files }: Listing): FoundModel | undefined {
    const configFiles = CONFIG_FILENAMES.filter((filename) => files.includes(filename));
    const numbers = folders.filter(isVersionName).map(Number);
    for (const other of folders.filter((child) => !isVersionName(child))) {
      this.#ignored.push(`${join(folder, other)}: not a version, which is a whole number from 1 without a leading 0`);
    }
    const single = numbers.length === 0 && [...files, ...folders].includes(SINGLE_FILE);
    if (!single && numbers.length === 0 && configFiles.length === 0) return undefined;
    const versions = single
      ? [{ version: 1, folder }]
      : numbers.sort((a, b) => a - b).map((version) => ({ version, folder: join(folder, String(version)) }));
    const fault = versions.length === 0 ? `the folder has no version folder and no ${SINGLE_FILE}; put the file to 1/${SINGLE_FILE}` : '';
    return { name, nameIsChosen, folder, root, versions, configFiles, fault };
  }

  #add(model: FoundModel): void {
    const twin = this.#models.get(model.name);
    if (twin === undefined) {
      this.#models.set(model.name, model);
      return;
    }
    const versions = [...new Map([...twin.versions, ...model.versions].map((found) => [found.version, found])).values()];
    const fault = 'more than one repository has a model of this name, so neither is served; rename or remove one folder';
    this.#models.set(model.name, { ...twin, versions: versions.sort((a, b) => a.version - b.version), fault });
    this.#warnings.push(`model ${shown(model.name)} is in both ${twin.folder} and ${model.folder}`);
  }

  /** Links count as what they point to. */
  async #list(folder: string): Promise<Listing> {
    const folders: string[] = [];
    const files: string[] = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      try {
        const kind = entry.isSymbolicLink() ? await stat(join(folder, entry.name)) : entry;
        if (kind.isDirectory()) folders.push(entry.name);
        else files.push(entry.name);
      } catch (thrown) {
        this.#ignored.push(`${join(folder, entry.name)}: ${reasonOf(thrown)}`);
      }
    }
    return { folders: folders.sort(), files };
  }
}

/** True where a repository was given that is really a model: its file lies there, or nothing but versions (and their configuration). */
function isModelFolder({ folders, files }: Listing): boolean {
  const visible = folders.filter((name) => !name.startsWith('.'));
  const configured = CONFIG_FILENAMES.some((name) => files.includes(name));
  return files.includes(SINGLE_FILE) || (visible.some(isVersionName) && (configured || visible.every(isVersionName)));
}

function isVersionName(name: string): boolean {
  return VERSION_NAME.test(name) && Number.isSafeInteger(Number(name));
}

/** U+FFFD stands for bytes that are not UTF-8: no request could name such a model. */
function isModelName(name: string): boolean {
  return name.trim() !== '' && !/[\p{Cc}/\\\uFFFD]/u.test(name) && !name.startsWith('.');
}

function checkModelName(name: string, folderCount: number): void {
  if (!isModelName(name)) throw optionError('--model-name', name, 'a name without slashes, control characters or a leading dot');
  if (folderCount !== 1)
    throw optionError('--model-name', name, `one --model-repository with it, which is that model (there are ${folderCount})`);
}

async function repositoryRoot(folder: string): Promise<string> {
  try {
    const root = await realpath(folder);
    await readdir(root);
    return root;
  } catch (thrown) {
    throw optionError('--model-repository', folder, `a folder that can be read (${reasonOf(thrown)})`);
  }
}

function optionError(flag: string, found: string, expected: string): ServerError {
  return new ServerError('ERR_CONFIG_OPTION', `${flag}: found ${shown(found)}, expected ${expected}`);
}
