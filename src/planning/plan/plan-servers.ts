/** The servers that a plan measures: trials that are on disk already need none. */
import { usableCpus } from '../../config/cpu-limit.js';
import { OptionsError } from '../../config/load.js';
import { contradiction } from '../load/sample-tensors.js';
import { MeasuredServer, NeverReady, ServerDied } from '../measure/measured-server.js';
import type { ModelUnderTest } from '../measure/model-under-test.js';
import type { RunStore } from '../measure/run-store.js';
import type { Placement } from '../measure/served-model.js';
import { messagesOf, type Fields } from '../measure/settled-config.js';
import { StoredServer, type TriedServer } from '../measure/stored-server.js';
import type { Trial, TrialLoad } from '../measure/trial.js';
import { settingsName, type Precision, type ServerSettings } from '../server-settings.js';

type Shapes = Readonly<Record<string, readonly number[]>>;

/** Where nobody has said how many rows a batch may have, and the model takes any number. */
const MOST_AUTO_ROWS = 64;

/** What a model is like without any plan. */
export interface OwnSettings {
  readonly settings: ServerSettings;
  /** Whether the server lets requests share batches. Where it does not, sizes of batches and delays change nothing that may be changed. */
  readonly merges: boolean;
  /** Of one request. */
  readonly inputShapes: Shapes;
}

export class PlanServers {
  readonly #model: ModelUnderTest;
  readonly #store: RunStore;
  readonly #stop: AbortSignal;
  readonly #measured: (trial: Trial) => void;
  /** Started to see what the model is like, and not measured yet. */
  #ready: { readonly name: string; readonly server: MeasuredServer } | undefined;
  #died: ServerDied | undefined;
  #placement: Placement = { kind: 'cpu' };

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

  /** Where the measured servers run the model, as the first of them has said; the CPU before that. */
  get placement(): Placement {
    return this.#placement;
  }

  /**
   * What the model's own configuration says, but for the precision where one is given, with the shapes of a request. Throws `ServerDied` where the model cannot be served, `OptionsError`
   * where no request can be made for it.
   */
  async ownSettings(rowsPerRequest: number, precision?: Precision): Promise<OwnSettings> {
    const { config } = this.#model;
    const sizes = batchSizesOf(config, rowsPerRequest);
    for (const [i, maxBatchSize] of sizes.entries()) {
      if (maxBatchSize > 0 && rowsPerRequest > maxBatchSize) throw tooManyRows(rowsPerRequest, maxBatchSize);
      const settings = { ...laneSettings(config), maxBatchSize, ...(precision !== undefined && { precision }) };
      try {
        const server = await MeasuredServer.start(this.#model, settings, this.#stop);
        this.#ready = { name: settingsName(settings), server };
        if (maxBatchSize > 0) this.#checkShapes(rowsPerRequest);
        const { merges, placement } = server.served;
        this.#placement = placement;
        return { settings, merges, inputShapes: shapesOf(server, maxBatchSize === 0 ? 1 : rowsPerRequest) };
      } catch (thrown) {
        // A model whose first dimension is fixed is refused with batches.
        if (!(thrown instanceof NeverReady) || i === sizes.length - 1) throw thrown;
      }
    }
    throw new ServerDied('the model was not tried');
  }

  /** Of a model whose first dimension is that of the rows. Throws `OptionsError`. */
  #checkShapes(rowsPerRequest: number): void {
    const contrary = [...this.#model.choices.shapes].filter(([, shape]) => shape[0] !== rowsPerRequest);
    if (contrary.length > 0) throw new OptionsError(contrary.map(([name, shape]) => contradiction(name, shape, rowsPerRequest)));
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

/** Values of max_batch_size to be tried, until the model is served. */
function batchSizesOf(config: Fields | null, rowsPerRequest: number): readonly number[] {
  const given = config?.['max_batch_size'];
  if (typeof given === 'number') return [given];
  // As the server: whoever gave dimensions on both sides and no max_batch_size meant Triton's default of 0.
  const hasDims = (side: 'input' | 'output'): boolean => messagesOf(config?.[side]).some(({ dims }) => dims !== undefined);
  return hasDims('input') && hasDims('output') ? [0] : [Math.max(MOST_AUTO_ROWS, rowsPerRequest), 0];
}

function tooManyRows(rows: number, most: number): OptionsError {
  return new OptionsError([`--batch-size: requests of ${rows} rows are more than the max_batch_size ${most} of the model's configuration`]);
}

/** Of a request with `rows` rows. */
function shapesOf({ target }: MeasuredServer, rows: number): Shapes {
  const { shapes } = target.request;
  if (rows === 1) return shapes;
  return Object.fromEntries(Object.entries(shapes).map(([name, [, ...others]]) => [name, [rows, ...others]]));
}
