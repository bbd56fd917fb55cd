/** The servers that a plan measures: trials that are on disk already need none. */
import { usableCpus } from '../../config/cpu-limit.js';
import { MeasuredServer, ServerDied } from '../measure/measured-server.js';
import type { ModelUnderTest } from '../measure/model-under-test.js';
import type { RunStore } from '../measure/run-store.js';
import { StoredServer, type TriedServer } from '../measure/stored-server.js';
import type { Trial, TrialLoad } from '../measure/trial.js';
import { settingsName, type ServerSettings } from '../server-settings.js';

type Fields = Readonly<Record<string, unknown>>;
type Shapes = Readonly<Record<string, readonly number[]>>;

/** Where nobody has said how many rows a batch may have, and the model takes any number. */
const MOST_AUTO_ROWS = 64;

export class PlanServers {
  readonly #model: ModelUnderTest;
  readonly #store: RunStore;
  readonly #stop: AbortSignal;
  readonly #measured: (trial: Trial) => void;
  /** Started to see what the model is like, and not measured yet. */
  #ready: { readonly name: string; readonly server: MeasuredServer } | undefined;
  #died: ServerDied | undefined;

  /** `measured` hears of each trial, those from disk included. */
  constructor(model: ModelUnderTest, store: RunStore, stop: AbortSignal, measured: (trial: Trial) => void) {
    this.#model = model;
    this.#store = store;
    this.#stop = stop;
    this.#measured = measured;
  }

  /** Of those that were measured, the first that ended by itself. */
  get died(): ServerDied | undefined {
    return this.#died;
  }

  /**
   * What the model's own configuration says, with the shapes of a request. Throws `ServerDied` where the model cannot be served, `OptionsError`
   * where no request can be made for it.
   */
  async ownSettings(rowsPerRequest: number): Promise<{ readonly settings: ServerSettings; readonly inputShapes: Shapes }> {
    const { config } = this.#model;
    const given = config?.['max_batch_size'];
    const sizes = typeof given === 'number' ? [given] : [MOST_AUTO_ROWS, 0];
    for (const [i, maxBatchSize] of sizes.entries()) {
      const settings = { ...laneSettings(config), maxBatchSize };
      try {
        const server = await MeasuredServer.start(this.#model, settings, this.#stop);
        this.#ready = { name: settingsName(settings), server };
        return { settings, inputShapes: this.#shapesOf(server, maxBatchSize === 0 ? 1 : rowsPerRequest) };
      } catch (thrown) {
        // A model whose first dimension is fixed is refused with batches.
        if (!(thrown instanceof ServerDied) || i === sizes.length - 1) throw thrown;
      }
    }
    throw new ServerDied('the model was not tried');
  }

  /** Of one request; what the user gave is whole already. */
  #shapesOf({ target }: MeasuredServer, rows: number): Shapes {
    const { shapes } = this.#model.choices;
    const ofRequest = ([name, shape]: [string, readonly number[]]): [string, readonly number[]] => [
      name,
      rows === 1 || shapes.has(name) ? shape : [rows, ...shape.slice(1)],
    ];
    return Object.fromEntries(Object.entries(target.request.shapes).map(ofRequest));
  }

  /** Throws nothing: the server starts with its first trial that is not on disk. */
  start(settings: ServerSettings): TriedServer {
    const stored = new StoredServer(this.#store, settings, () => this.#startNow(settings));
    const measure = async (load: TrialLoad): Promise<Trial> => {
      this.#stop.throwIfAborted();
      const trial = await stored.measure(load).catch((thrown: unknown) => {
        if (thrown instanceof ServerDied) this.#died ??= thrown;
        throw thrown;
      });
      this.#measured(trial);
      return trial;
    };
    return { measure, stop: () => stored.stop() };
  }

  async #startNow(settings: ServerSettings): Promise<TriedServer> {
    const ready = this.#ready;
    const isThis = ready?.name === settingsName(settings);
    if (!isThis) await this.close();
    this.#ready = undefined;
    const server = ready !== undefined && isThis ? ready.server : await MeasuredServer.start(this.#model, settings, this.#stop);
    return { measure: (load) => server.measure(load, this.#stop), stop: () => server.stop() };
  }

  /** Of what was started and never measured. */
  async close(): Promise<void> {
    await this.#ready?.server.stop();
    this.#ready = undefined;
  }
}

function laneSettings(config: Fields | null): Omit<ServerSettings, 'maxBatchSize'> {
  const [group] = messagesOf(config?.['instance_group']);
  const [batching] = messagesOf(config?.['dynamic_batching']);
  const delay = Number(batching?.['max_queue_delay_microseconds'] ?? 0);
  const lanes = Number(group?.['count'] ?? 0);
  return { lanes: lanes > 0 ? lanes : 1, cpuThreads: usableCpus(), maxQueueDelayUs: delay > 0 ? delay : null };
}

function messagesOf(value: unknown): readonly Fields[] {
  return (Array.isArray(value) ? value : value === undefined ? [] : [value]) as readonly Fields[];
}
