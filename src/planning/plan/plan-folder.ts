/** The folder of a plan: what may be one, and what is written into it. */
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { messageOf } from '../../errors.js';
import { WriteFailure, writeWholeFile } from '../whole-file.js';

const PLAN = 'plan.json';
const RUNS = 'runs';
/** Nobody's work: of an earlier plan that was killed while it wrote, of a file system of its own. */
const OF_NO_CONCERN = new Set([RUNS, `${PLAN}.new`, 'lost+found']);

/** Why `folder` cannot take the plan of the model, one sentence each. A folder that is not there yet can be made. */
export function checkFolder(folder: string, modelFolder: string): string[] {
  const refused = (why: string): string[] => [`--out: "${folder}" ${why}`];
  try {
    const existing = nearestExisting(folder);
    if (!statSync(existing).isDirectory()) return refused(existing === folder ? 'is not a folder' : `is below "${existing}", a file`);
    accessSync(existing, constants.W_OK | constants.X_OK);
    if (isWithin(existing, modelFolder)) return refused('is in the folder of the model, which it would change: name one outside');
    if (existing !== folder) return [];
    const entries = readdirSync(folder);
    if (entries.every((name) => OF_NO_CONCERN.has(name))) return [];
    if (!entries.includes(PLAN)) return refused('holds files but no plan, and they might be overwritten: name a new or an empty folder');
    const planned = plannedModel(join(folder, PLAN));
    if (planned === basename(modelFolder)) return [];
    return refused(`holds the plan of ${planned === undefined ? 'something else' : `the model "${planned}"`}`);
  } catch (thrown) {
    return refused(`cannot be written: ${messageOf(thrown)}`);
  }
}

function nearestExisting(path: string): string {
  for (let at = path; ; at = dirname(at)) if (statSync(at, { throwIfNoEntry: false }) !== undefined || at === dirname(at)) return at;
}

/** Whatever links lead there. A folder that is not there holds nothing. */
function isWithin(path: string, folder: string): boolean {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return false;
  const [first] = relative(realpathSync(resolve(folder)), realpathSync(path)).split(sep);
  return first !== '..';
}

function plannedModel(path: string): string | undefined {
  try {
    const { model } = JSON.parse(readFileSync(path, 'utf8')) as { model?: { name?: unknown } };
    return typeof model?.name === 'string' ? model.name : undefined;
  } catch {
    return undefined;
  }
}

export class PlanFolder {
  readonly path: string;

  /** Makes the folder. Throws `WriteFailure`. */
  constructor(path: string) {
    this.path = path;
    this.#change(this.runs, (runs) => mkdirSync(runs, { recursive: true }));
  }

  /** Where each measurement is kept. */
  get runs(): string {
    return join(this.path, RUNS);
  }

  /** Whole or not at all. Throws `WriteFailure`. */
  write(name: string, content: string): void {
    writeWholeFile(join(this.path, name), content);
  }

  /** What an earlier plan has left. Throws `WriteFailure`. */
  remove(name: string): void {
    this.#change(join(this.path, name), (path) => rmSync(path, { force: true }));
  }

  #change(path: string, change: (path: string) => void): void {
    try {
      change(path);
    } catch (thrown) {
      throw new WriteFailure(path, thrown);
    }
  }
}
