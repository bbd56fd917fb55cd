/** The folder of a plan: what may be one, and what is written into it. */
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeWholeFile } from '../whole-file.js';

const PLAN = 'plan.json';
const RUNS = 'runs';

/** Why `folder` cannot take the plan of the model, one sentence each. A folder that is not there yet can be made. */
export function checkFolder(folder: string, model: string): string[] {
  const refused = (why: string): string[] => [`--out: "${folder}" ${why}`];
  try {
    const existing = nearestExisting(folder);
    if (!statSync(existing).isDirectory()) return refused(existing === folder ? 'is not a folder' : `is below "${existing}", a file`);
    accessSync(existing, constants.W_OK | constants.X_OK);
    if (existing !== folder) return [];
    const entries = readdirSync(folder);
    if (entries.length === 0 || (!entries.includes(PLAN) && entries.every((name) => name === RUNS))) return [];
    if (!entries.includes(PLAN)) return refused('holds files but no plan, and they might be overwritten: name a new or an empty folder');
    const planned = plannedModel(join(folder, PLAN));
    return planned === model ? [] : refused(`holds the plan of ${planned === undefined ? 'something else' : `the model "${planned}"`}`);
  } catch (thrown) {
    return refused(`cannot be written: ${messageOf(thrown)}`);
  }
}

function nearestExisting(path: string): string {
  for (let at = path; ; at = dirname(at)) if (statSync(at, { throwIfNoEntry: false }) !== undefined || at === dirname(at)) return at;
}

function plannedModel(path: string): string | undefined {
  try {
    const { model } = JSON.parse(readFileSync(path, 'utf8')) as { model?: { name?: unknown } };
    return typeof model?.name === 'string' ? model.name : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** What the system says when a file cannot be written: disk or quota full, a limit of the process, a file system that went read-only. */
const CANNOT_WRITE: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EIO', 'EACCES', 'EPERM', 'ENOTDIR']);

export function isWriteFailure(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && 'syscall' in thrown && 'code' in thrown && CANNOT_WRITE.has(thrown.code);
}

export class PlanFolder {
  readonly path: string;

  /** Makes the folder. Throws what the system says. */
  constructor(path: string) {
    this.path = path;
    mkdirSync(this.runs, { recursive: true });
  }

  /** Where each measurement is kept. */
  get runs(): string {
    return join(this.path, RUNS);
  }

  /** Whole or not at all. Throws what the system says. */
  write(name: string, content: string): void {
    writeWholeFile(join(this.path, name), content);
  }
}
