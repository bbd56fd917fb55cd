/** A plan from its options to its files. */
import { usableCpus } from '../../config/cpu-limit.js';
import { OptionsError } from '../../config/load.js';
import { asServerError } from '../../errors.js';
import { runFacts } from '../measure/machine.js';
import { openModel, type ModelUnderTest } from '../measure/model-under-test.js';
import { ProgressBar } from '../measure/progress-bar.js';
import { RunStore } from '../measure/run-store.js';
import type { Trial } from '../measure/trial.js';
import { SimulationPool } from '../server-model/simulation-pool.js';
import type { Simulate } from '../server-model/simulation-job.js';
import { settingsName, type ServerSettings } from '../server-settings.js';
import { measureCourse } from './plan-course.js';
import { PlanDraft } from './plan-draft.js';
import { isWriteFailure, PlanFolder } from './plan-folder.js';
import { planFleet, predictCells } from './plan-fleet.js';
import { writeOutputs, writePlan } from './plan-outputs.js';
import type { PlanOptions } from './plan-options.js';
import { PlanServers } from './plan-servers.js';
import type { Plan } from './plan.js';
import type { Hardware } from './prices.js';

export interface PlanEnd {
  /** Of what there is; it has been written. */
  readonly plan: Plan;
  /** What ended the measuring before its end; undefined = nothing, or `stop`. */
  readonly failure: unknown;
}

/**
 * `stop` ends the measuring; then the plan is made of what there is. Throws `OptionsError` where there is no such model or the goal is below
 * the time of a lone request, ERR_MODEL_CONFIG, and what the system says when the folder cannot be written.
 */
export async function makePlan(options: PlanOptions, stop: AbortSignal, output: NodeJS.WriteStream): Promise<PlanEnd> {
  const { shapes, data, seed } = options;
  // Without the goal in its configuration: a server that has it drops what would be late, and a lone request that is late would not be measured.
  const model = await openModel(options.modelFolder, { shapes, data, seed, latencyGoalMs: 0 });
  const folder = new PlanFolder(options.out);
  const facts = runFacts(model);
  const store = new RunStore(folder.runs, facts);
  const draft = new PlanDraft(options, model, facts);
  for (const note of store.notes) draft.note(note);
  const save = (): void => writePlan(folder, draft.plan());
  save();
  const hardware = hardwareOf(model, facts.machine);
  const failure = await measure({ options, model, store, draft, stop, output, save });
  await plan(options, draft, hardware);
  noteCircumstances(options, draft, hardware, facts.machine);
  const made = draft.plan();
  const { autoscaler, k8s, out } = options;
  const { laneCpuMs, frontEndCpuMs } = draft.atBest ?? { laneCpuMs: 0, frontEndCpuMs: 0 };
  writeOutputs(folder, made, model.config, { autoscaler, k8s, out, hardware, cpuMsPerRequest: laneCpuMs + frontEndCpuMs });
  return { plan: made, failure };
}

interface Measuring {
  readonly options: PlanOptions;
  readonly model: ModelUnderTest;
  readonly store: RunStore;
  readonly draft: PlanDraft;
  readonly stop: AbortSignal;
  readonly output: NodeJS.WriteStream;
  readonly save: () => void;
}

/** Resolves with what ended it early, where that was not `stop`. Throws what makes a plan pointless. */
async function measure({ options, model, store, draft, stop, output, save }: Measuring): Promise<unknown> {
  const servers = new PlanServers(model, store, stop, (trial) => draft.add(trial));
  const bar = new ProgressBar(output);
  try {
    await measureCourse({
      ...{ options, draft, save },
      ...{ servers, clock: store.clock },
      progress: bar.show,
    });
    return servers.died;
  } catch (thrown) {
    if (thrown instanceof OptionsError || isWriteFailure(thrown)) throw thrown;
    if (stop.aborted) {
      draft.note('The measuring was stopped before its end: the same command goes on with it.');
      return undefined;
    }
    draft.note(`The measuring ended before its time: ${asServerError(thrown).message}.`);
    return thrown;
  } finally {
    bar.clear();
    await servers.close();
  }
}

function hardwareOf({ config }: ModelUnderTest, machine: Plan['machine']): Hardware {
  const groups = config?.['instance_group'];
  const [first] = (Array.isArray(groups) ? groups : [groups]) as readonly ({ readonly kind?: unknown } | undefined)[];
  const { gpu } = machine;
  return { gpu: first?.kind === 'KIND_CPU' || gpu === undefined ? null : String(gpu), cpus: usableCpus() };
}

/** What does not suffice for a fleet, or for predictions, is a note and not the end. */
async function plan(options: PlanOptions, draft: PlanDraft, hardware: Hardware): Promise<void> {
  const { best, trials } = draft;
  if (best === null) return;
  const pool = new SimulationPool(hardware.cpus);
  const simulate: Simulate = (jobs) => pool.run(jobs);
  const noteOf = (thrown: unknown): void => {
    if (!(thrown instanceof OptionsError)) throw thrown;
    for (const fault of thrown.faults) draft.note(`${fault}.`);
  };
  try {
    draft.fleet = await planFleet(options, best, trials, hardware, simulate).catch((thrown: unknown) => {
      noteOf(thrown);
      return draft.fleet;
    });
    const lone = trials.filter(({ load }) => load.inFlight === 1);
    const cells = draft.found
      .filter(({ rate }) => rate.low > 0)
      .map(({ settings, rate }) => ({ settings, measured: rate, trials: loadedTrials(trials, settings) }));
    draft.predictions = await predictCells(options, cells, lone, hardware, simulate);
  } catch (thrown) {
    noteOf(thrown);
  } finally {
    await pool.close();
  }
}

function loadedTrials(trials: readonly Trial[], settings: ServerSettings): readonly Trial[] {
  return trials.filter((trial) => settingsName(trial.settings) === settingsName(settings) && trial.load.inFlight !== 1);
}

function noteCircumstances(options: PlanOptions, draft: PlanDraft, { gpu, cpus }: Hardware, { gpus }: Plan['machine']): void {
  const { prices, pricePerHour } = options;
  if (draft.lateOnCurve > 0) {
    draft.note(`At ${draft.lateOnCurve} rates of the curve the load generator was late itself: latency there is at most what it shows.`);
  }
  if (gpu === null) draft.note(`The load generator shared ${cpus} cores with the server: one that has them for itself does more.`);
  if (gpu !== null && Number(gpus) > 1) {
    draft.note(`One server used all ${gpus} GPUs: run the plan with CUDA_VISIBLE_DEVICES=0 for replicas of one GPU each.`);
  }
  if (prices.isExample && pricePerHour === null && draft.fleet.cost !== null) {
    draft.note('Prices are examples: --price-per-hour or --prices has yours.');
  }
}
