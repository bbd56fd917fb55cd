/** The models of the process: loads what the repositories hold and keeps the engine's catalog up to date. Main thread. */
import type { NativeCatalogModel } from '../bridge/control.js';
import { asServerError, ServerError } from '../errors.js';
import { readConfigFile, type LoadedConfig } from './config-file.js';
import { planLanes, type DefaultLanes, type LanePlan } from './instance-lanes.js';
import { LoadTurns } from './load-turns.js';
import { catalogModelOf, statusOf, type ModelEntry, type ModelStatus, type VersionEntry, type VersionStatus } from './model-states.js';
import { versionLabel, type Hold } from './model-holds.js';
import { insistsOnGpus, mayUseGpus, NO_GPUS, type UsableGpus } from './placement.js';
import { scanRepositories, type FoundModel } from './repository.js';
import { loadVersion, type LoadOrder, type VersionMaker } from './version-loader.js';
import { chooseVersions } from './version-policy.js';

/** The functions of bridge/control.ts. */
export interface ModelControl extends VersionMaker {
  publishCatalog(models: readonly NativeCatalogModel[]): void;
}

/** The part of a pino logger that is used. */
export type ModelLog = Readonly<Record<'debug' | 'info' | 'warn' | 'error', (fields: object, message: string) => void>>;

export interface ModelStoreOptions {
  readonly repositories: readonly string[];
  /** Not empty: the one repository is itself this model. */
  readonly modelName: string;
  /** Concurrent runs of a version whose configuration does not say; on the CPU fewer where the engine finds that one does as much. */
  readonly defaultLanes: DefaultLanes;
  /** Requests of one version that wait, where its configuration does not bound every priority level; 0 = unbounded. */
  readonly maxQueueSize: number;
  /** Input bytes of those; 0 = unbounded. */
  readonly maxQueueBytes: number;
  /** Asked once, if a model may run on one; loading waits for the answer. */
  readonly gpus: () => UsableGpus | Promise<UsableGpus>;
  /** Model files that are read at one time, >= 1: each needs memory of its own while it is optimised. On one GPU it is always one. */
  readonly parallelLoads: number;
  /** How long a version (`versionLabel`) must not be loaded; undefined: it may be. Not asked where it is the only one. */
  readonly holdOf?: (label: string) => Hold | undefined;
  /** Called after each change of what `models` says. */
  readonly onChange?: () => void;
}

/** A model whose versions are known to clients, though none is loaded yet. */
interface EnteredModel {
  readonly model: FoundModel;
  readonly configuration: LoadedConfig;
  /** Versions that are to be served. */
  readonly chosen: readonly number[];
}

export class ModelStore {
  readonly #control: ModelControl;
  readonly #log: ModelLog;
  readonly #options: ModelStoreOptions;
  readonly #models = new Map<string, ModelEntry>();
  readonly #turns = new LoadTurns();
  /** Ends of holds. */
  readonly #timers = new Set<NodeJS.Timeout>();
  #loading: Promise<void> | undefined;
  /** More than one version is to be served. */
  #servesOthers = false;
  #isOver = false;
  #isClosed = false;

  constructor(control: ModelControl, log: ModelLog, options: ModelStoreOptions) {
    this.#control = control;
    this.#log = log;
    this.#options = options;
  }

  /**
   * Loads everything that the repositories hold and the version policies choose; a version is served as soon as it is loaded. A model
   * that cannot be loaded is logged and does not stop the others. Rejects with ERR_CONFIG_OPTION when a repository cannot be read.
   * Later calls join the first.
   */
  loadAll(): Promise<void> {
    this.#loading ??= this.#loadEverything();
    return this.#loading;
  }

  /** `over`: `loadAll` has ended, well or badly. `total`: versions that are to be served; `done`: those of them that are ready or have failed. */
  progress(): { readonly over: boolean; readonly done: number; readonly total: number } {
    const versions = this.models().flatMap((model) => model.versions);
    const done = versions.filter(({ state }) => state === 'READY' || state === 'UNAVAILABLE').length;
    return { over: this.#isOver, done, total: versions.length };
  }

  /** By name. */
  models(): readonly ModelStatus[] {
    return [...this.#models.values()].map(statusOf);
  }

  /** Models that are refused, or of which a version could not be loaded. One that is held back has not been tried yet. */
  failedModels(): readonly ModelStatus[] {
    const isFailed = ({ state, code }: VersionStatus): boolean => state === 'UNAVAILABLE' && code !== 'ERR_MODEL_HELD_BACK';
    return this.models().filter(({ faultCode, versions }) => faultCode !== '' || versions.some(isFailed));
  }

  /** Logs what has become known of served versions since they were loaded. */
  tellNews(): void {
    if (this.#isClosed) return;
    for (const { name, versions } of this.#models.values()) {
      for (const [version, { loaded }] of versions) this.#tell(name, version, loaded?.handle.newNotes() ?? []);
    }
  }

  /** Drops every handle, now or when its load ends; the engine keeps what it serves. Nothing is published any more. May be repeated. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { versions } of this.#models.values()) {
      for (const { loaded } of versions.values()) loaded?.handle.close();
    }
  }

  async #loadEverything(): Promise<void> {
    const started = performance.now();
    try {
      const orders = await this.#plan();
      this.#servesOthers = orders.length > 1;
      this.#publish();
      const queue = orders.entries();
      const worker = async (): Promise<void> => {
        // Workers share the iterator, so each order is taken once.
        for (const [i, order] of queue) {
          if (this.#isClosed) return;
          await this.#load(order, `${i + 1} of ${orders.length}`);
        }
      };
      await Promise.all(Array.from({ length: this.#options.parallelLoads }, worker));
    } finally {
      this.#isOver = true;
      this.#options.onChange?.();
    }
    const ready = this.models().reduce((sum, model) => sum + model.readyVersions, 0);
    const failed = this.failedModels().map(({ name }) => name);
    const fields = { models: this.#models.size, ready, failed, ms: millisecondsSince(started) };
    this.#log.info(fields, `loading is over: ${ready} of ${this.progress().total} versions are ready`);
  }

  /** Enters every model and says what is to be loaded. */
  async #plan(): Promise<readonly LoadOrder[]> {
    const { repositories, modelName } = this.#options;
    const scan = await scanRepositories(repositories, modelName);
    for (const text of scan.ignored) this.#log.debug({}, `ignored in the model repository: ${text}`);
    for (const text of scan.warnings) this.#log.warn({}, text);
    if (scan.models.length === 0)
      this.#log.warn({ repositories }, 'no model found; expected files such as <repository>/<model>/1/model.onnx');
    const entered: EnteredModel[] = [];
    for (const model of scan.models) {
      try {
        entered.push(await this.#enter(model));
      } catch (thrown) {
        this.#refuse(model, asServerError(thrown));
      }
    }
    this.#publish();
    const anyMayUseGpus = entered.some(({ configuration }) => mayUseGpus(configuration.config.instanceGroups));
    const usable = anyMayUseGpus ? await this.#options.gpus() : NO_GPUS;
    return entered.flatMap((one) => {
      try {
        return this.#ordersOf(one, usable);
      } catch (thrown) {
        this.#refuse(one.model, asServerError(thrown));
        return [];
      }
    });
  }

  async #enter(model: FoundModel): Promise<EnteredModel> {
    if (model.fault !== '') throw new ServerError('ERR_MODEL_LOAD', model.fault);
    const configuration = await readConfigFile(model);
    const { config, source, warnings } = configuration;
    for (const text of warnings) this.#log.warn({ model: model.name }, text);
    const available = model.versions.map(({ version }) => version);
    const { chosen, missing } = chooseVersions(config.versionPolicy, available);
    const versions = new Map<number, VersionEntry>();
    for (const version of chosen) versions.set(version, { state: 'UNKNOWN', reason: 'it waits to be loaded', code: '', loaded: null });
    this.#models.set(model.name, { name: model.name, fault: '', faultCode: '', versions });
    for (const version of missing) {
      this.#fail(
        model.name,
        version,
        new ServerError('ERR_MODEL_CONFIG', `${source}: version_policy names version ${version}, which has no folder`),
      );
    }
    return { model, configuration, chosen };
  }

  #ordersOf({ model, configuration, chosen }: EnteredModel, usable: UsableGpus): readonly LoadOrder[] {
    const { config, source } = configuration;
    const { defaultLanes, maxQueueSize, maxQueueBytes } = this.#options;
    const plan = (gpus: UsableGpus): LanePlan => planLanes(model.name, config.instanceGroups, defaultLanes, gpus, source);
    const lanes = plan(usable);
    const lanesOnCpu = insistsOnGpus(config.instanceGroups) ? undefined : plan(NO_GPUS);
    for (const text of lanes.warnings) this.#log.warn({ model: model.name }, `${source}: ${text}`);
    const queue = { maxQueueSize, maxQueueBytes };
    const folders = model.versions.filter(({ version }) => chosen.includes(version));
    return folders.map((version) => ({ model, version, configuration, lanes, lanesOnCpu, queue }));
  }

  async #load(order: LoadOrder, position: string): Promise<void> {
    await this.#turns.take(order.lanes.gpus, () => this.#loadInTurn(order, position));
  }

  async #loadInTurn(order: LoadOrder, position: string): Promise<void> {
    if (this.#isClosed) return;
    const model = order.model.name;
    const { version } = order.version;
    // To leave out the only one would serve nobody, where a restart may serve for hours.
    const mayBeHeld = this.#servesOthers && order.lanes.gpus.length > 0;
    const hold = mayBeHeld ? this.#options.holdOf?.(versionLabel(model, version)) : undefined;
    if (hold !== undefined) {
      this.#holdBack(order, hold);
      return;
    }
    const started = performance.now();
    this.#log.info({ model, version }, `loading ${model} version ${version} (${position})`);
    this.#change(model, version, { state: 'LOADING', reason: 'it is being loaded', code: '', loaded: null });
    try {
      const loaded = await loadVersion(this.#control, order);
      if (this.#isClosed) {
        loaded.handle.close();
        return;
      }
      this.#change(model, version, { state: 'READY', reason: '', code: '', loaded });
      const ms = millisecondsSince(started);
      const { api, lanes, merges, notes, plan, memory, warning } = loaded;
      if (warning !== '') this.#log.warn({ model, version }, `${model} version ${version}: ${warning}`);
      this.#tell(model, version, notes);
      const fields = { model, version, ms, maxBatchSize: api.maxBatchSize, lanes, batching: merges, gpus: plan.gpus, memory };
      this.#log.info(fields, `loaded ${model} version ${version} in ${ms} ms, on ${placeOf(plan)}`);
    } catch (thrown) {
      this.#fail(model, version, asServerError(thrown));
    }
    this.#publish();
  }

  #tell(model: string, version: number, notes: readonly string[]): void {
    for (const note of notes) this.#log.info({ model, version }, `${model} version ${version}: ${note}`);
  }

  /** Loads it when its time has come. */
  #holdBack(order: LoadOrder, { forMs, reason }: Hold): void {
    this.#fail(order.model.name, order.version.version, new ServerError('ERR_MODEL_HELD_BACK', reason));
    this.#publish();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#load(order, 'again');
    }, forMs);
    this.#timers.add(timer);
  }

  /** The whole model: none of its versions is tried. */
  #refuse(model: FoundModel, error: ServerError): void {
    const entry = { state: 'UNAVAILABLE', reason: error.message, code: error.code, loaded: null } as const;
    const versions = new Map(model.versions.map(({ version }): [number, VersionEntry] => [version, entry]));
    this.#models.set(model.name, { name: model.name, fault: error.message, faultCode: error.code, versions });
    this.#log.error({ model: model.name, ...logFieldsOf(error) }, `model ${model.name} is refused: ${error.message}`);
    this.#options.onChange?.();
  }

  #fail(model: string, version: number, error: ServerError): void {
    this.#change(model, version, { state: 'UNAVAILABLE', reason: error.message, code: error.code, loaded: null });
    this.#log.error({ model, version, ...logFieldsOf(error) }, `${model} version ${version} failed: ${error.message}`);
  }

  #change(model: string, version: number, entry: VersionEntry): void {
    this.#models.get(model)?.versions.set(version, entry);
    this.#options.onChange?.();
  }

  #publish(): void {
    if (!this.#isClosed) this.#control.publishCatalog([...this.#models.values()].map(catalogModelOf));
  }
}

/** "the CPU", "GPU 0", "GPUs 0, 1". */
function placeOf({ groups, gpus }: LanePlan): string {
  if (gpus.length === 0) return 'the CPU';
  const indices = [...new Set(groups.flatMap((group) => group.gpus))].sort((a, b) => a - b);
  return `${indices.length === 1 ? 'GPU' : 'GPUs'} ${indices.join(', ')}`;
}

/** The message says all there is to know, unless the fault is ours. */
function logFieldsOf(error: ServerError): object {
  return error.code === 'ERR_INTERNAL' ? { code: error.code, err: error } : { code: error.code };
}

function millisecondsSince(started: number): number {
  return Math.round(performance.now() - started);
}
