/** Finds, reads and checks the configuration file of a model. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ServerError } from '../errors.js';
import { configError, shown } from './config-fault.js';
import { realFileInside, reasonOf } from './inside-root.js';
import { EMPTY_CONFIG, readModelConfig, type ModelConfig } from './model-config.js';
import { MAX_CONFIG_BYTES, parsePbtxt } from './pbtxt.js';
import { CONFIG_FILENAMES, type ConfigFilename, type FoundModel } from './repository.js';

export interface LoadedConfig {
  readonly config: ModelConfig;
  /** The fields as the file has them; null = there is no file. */
  readonly fields: Readonly<Record<string, unknown>> | null;
  /** Name of the file that faults are about. */
  readonly source: string;
  readonly warnings: readonly string[];
}

/** Throws ERR_MODEL_CONFIG, or ERR_MODEL_LOAD when the file cannot be read. */
export async function readConfigFile(model: FoundModel): Promise<LoadedConfig> {
  const [filename, second] = model.configFiles;
  if (filename === undefined) return { config: EMPTY_CONFIG, fields: null, source: 'model file without a configuration', warnings: [] };
  if (second !== undefined) {
    const fix = 'remove one of the two';
    throw configError(model.name, [{ field: 'configuration', found: CONFIG_FILENAMES.join(' and '), expected: 'one file', fix }]);
  }
  const text = await readText(model, filename);
  const tree = filename === 'config.pbtxt' ? parsePbtxt(text, filename) : parseJson(text, filename);
  const { config, warnings } = readModelConfig(tree, filename);
  // What is no message has been refused by now.
  const fields = tree as Readonly<Record<string, unknown>>;
  return { config, fields, source: filename, warnings: [...warnings, ...checkName(model, config, filename)] };
}

function checkName(model: FoundModel, config: ModelConfig, filename: string): readonly string[] {
  if (config.name === '' || config.name === model.name) return [];
  if (model.nameIsChosen) return [`${filename}: name: ${shown(config.name)} is not used, because --model-name is ${shown(model.name)}`];
  const fix = `set name: ${shown(model.name)}, leave it out, or rename the folder`;
  throw configError(filename, [{ field: 'name', found: shown(config.name), expected: `${shown(model.name)}, the folder's name`, fix }]);
}

async function readText(model: FoundModel, filename: ConfigFilename): Promise<string> {
  const path = await realFileInside(model.root, join(model.folder, filename));
  const { size } = await stat(path);
  if (size > MAX_CONFIG_BYTES)
    throw new ServerError('ERR_MODEL_CONFIG', `${filename}: found ${size} bytes, expected at most ${MAX_CONFIG_BYTES}`);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new ServerError('ERR_MODEL_LOAD', `${filename}: ${reasonOf(cause)}`, { cause });
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw new ServerError('ERR_MODEL_CONFIG', `${filename}: found bytes that are not UTF-8; save the file as UTF-8`, { cause: thrown });
  }
}

function parseJson(text: string, filename: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new ServerError('ERR_MODEL_CONFIG', `${filename}${placeOf(message, text)}: ${message.replace(/ in JSON at position.*$/s, '')}`, {
      cause: thrown,
    });
  }
}

/** `:line:column`; empty where V8 quotes the text around the fault instead of saying where it is. */
function placeOf(message: string, text: string): string {
  const offset = message.includes('end of JSON') ? text.length : /at position (\d+)/.exec(message)?.[1];
  if (offset === undefined) return '';
  const before = text.slice(0, Number(offset));
  return `:${before.split('\n').length}:${before.length - before.lastIndexOf('\n')}`;
}
