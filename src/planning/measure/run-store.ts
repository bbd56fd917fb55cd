/** Trials on disk, one file each: a plan that was stopped goes on with what it has measured already. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsName, type ServerSettings } from '../server-settings.js';
import { writeWholeFile } from '../whole-file.js';
import type { Trial, TrialLoad } from './trial.js';

/** What all runs of a plan have in common; runs under any other facts are another plan's. */
export interface RunFacts {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  /** With everything that requests are made of. */
  readonly model: Readonly<Record<string, unknown>>;
}

interface Run extends RunFacts {
  readonly format: 1;
  /** ISO 8601. */
  readonly taken: string;
  /** Seconds of the planner, the start of the server included. */
  readonly tookS: number;
  readonly trial: Trial;
  /** SHA-256 of all the rest, hexadecimal: figures that were edited are not taken. */
  readonly digest: string;
}

export class RunStore {
  readonly #folder: string;
  readonly #facts: RunFacts;
  readonly #runs = new Map<string, Run>();
  /** Names of files, by the reason why they are passed over. */
  readonly #passedOver = new Map<string, string[]>();
  #skippedS = 0;

  /** Makes the folder, and reads what is in it. Throws what the system says. */
  constructor(folder: string, facts: RunFacts) {
    this.#folder = folder;
    this.#facts = facts;
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder).sort()) if (name.endsWith('.json')) this.#read(name);
  }

  /** Files that are passed over because they are no runs, one sentence for all with the same reason. */
  get notes(): readonly string[] {
    return [...this.#passedOver].map(([reason, [first = '', ...more]]) =>
      more.length === 0 ? `runs/${first} is passed over: ${reason}` : `runs/${first} and ${more.length} more are passed over: ${reason}`,
    );
  }

  /** Seconds that only rise; what comes from disk takes as long as it took, so that a budget means the same for who goes on. */
  readonly clock = (): number => performance.now() / 1000 + this.#skippedS;

  /** Counts as measured now. */
  take(settings: ServerSettings, load: TrialLoad): Trial | undefined {
    const run = this.#runs.get(this.#keyOf(settings, load));
    this.#skippedS += run?.tookS ?? 0;
    return run?.trial;
  }

  /** Throws what the system says; what was kept before stays. */
  keep(trial: Trial, tookS: number): void {
    const content = { format: 1, taken: new Date().toISOString(), ...this.#facts, tookS, trial } as const;
    const run: Run = { ...content, digest: digestOf(content) };
    const key = this.#keyOf(trial.settings, trial.load);
    writeWholeFile(join(this.#folder, nameOf(trial, key)), `${JSON.stringify(run, null, 2)}\n`);
    this.#runs.set(key, run);
  }

  #read(name: string): void {
    try {
      const run: unknown = JSON.parse(readFileSync(join(this.#folder, name), 'utf8'));
      if (!isRun(run)) throw new Error('no run that this version wrote');
      const key = keyOf(run, run.trial.settings, run.trial.load);
      const { digest, ...content } = run;
      if (nameOf(run.trial, key) === name && digest === digestOf(content)) this.#runs.set(key, run);
      else this.#passOver(name, 'changed or renamed since it was written');
    } catch (thrown) {
      this.#passOver(name, thrown instanceof Error ? thrown.message : String(thrown));
    }
  }

  #passOver(name: string, reason: string): void {
    const names = this.#passedOver.get(reason);
    if (names === undefined) this.#passedOver.set(reason, [name]);
    else names.push(name);
  }

  #keyOf(settings: ServerSettings, load: TrialLoad): string {
    return keyOf(this.#facts, settings, load);
  }
}

function keyOf({ machine, versions, model }: RunFacts, settings: ServerSettings, load: TrialLoad): string {
  return canonical({ machine, versions, model, settings, load });
}

function digestOf(content: Omit<Run, 'digest'>): string {
  return createHash('sha256').update(canonical(content)).digest('hex');
}

/** The same text for the same content, whatever the order of the fields. */
function canonical(content: unknown): string {
  return JSON.stringify(content, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

function nameOf({ settings, load }: Trial, key: string): string {
  const loop = load.rate === null ? `c${load.inFlight}` : `r${load.rate}`;
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 12);
  return `${settingsName(settings)}-${loop}-${load.seconds}s-s${load.seed}-${digest}.json`;
}

function isRun(value: unknown): value is Run {
  if (!isObject(value) || value['format'] !== 1 || !isObject(value['machine']) || !isObject(value['versions'])) return false;
  const { model, tookS, trial, digest } = value;
  if (typeof digest !== 'string' || !isObject(model) || typeof tookS !== 'number' || !(tookS >= 0) || !isObject(trial)) return false;
  const { settings, load, result, batches } = trial;
  return isObject(settings) && isObject(load) && isObject(result) && isObject(result['counts']) && Array.isArray(batches);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
