/** A plan from its options to its files. */
import { OptionsError } from '../../config/load.js';
import { messageOf } from '../../errors.js';
import { runFacts } from '../measure/machine.js';
import type { SearchProgress } from '../measure/max-rate.js';
import { openModel, type ModelUnderTest } from '../measure/model-under-test.js';
import { ProgressBar } from '../measure/progress-bar.js';
import { RunStore } from '../measure/run-store.js';
import type { Placement } from '../measure/served-model.js';
import { SimulationPool } from '../server-model/simulation-pool.js';
import { WriteFailure } from '../whole-file.js';
import { calculate } from './plan-arithmetic.js';
import { measureCourse } from './plan-course.js';
import { PlanDraft } from './plan-draft.js';
import { PlanFolder } from './plan-folder.js';
import { hardwareOf } from './plan-hardware.js';
import { noteCircumstances } from './plan-notes.js';
import { writeOutputs, writePlan } from './plan-outputs.js';
import type { PlanOptions } from './plan-options.js';
import { PlanServers } from './plan-servers.js';
import type { Plan } from './plan.js';
import type { Hardware } from './prices.js';
import { sentence } from './sentence.js';

export interface PlanEnd {
  /** Of what there is. Where nothing was measured, nothing was written. */
  readonly plan: Plan;
  /** What ended it before its end; undefined = nothing, or `stop`. `WriteFailure`: not all files are written. */
  readonly failure: unknown;
}

/**
 * `stop` ends the measuring, or the simulations; then the plan is made of what there is. Throws `OptionsError` where there is no such model or
 * no request can be made for it, ERR_MODEL_CONFIG, `WriteFailure` where the folder cannot be made, and the reason of `stop` before anything.
 */
export async function makePlan(options: PlanOptions, stop: AbortSignal, output: NodeJS.WriteStream): Promise<PlanEnd> {
  const { shapes, data, seed } = options;
  // Without the goal in its configuration: a server that has it drops what would be late, and a lone request that is late would not be measured.
  const model = await openModel(options.modelFolder, { shapes, data, seed, latencyGoalMs: 0 }, stop);
  const folder = new PlanFolder(options.out);
  const facts = runFacts(model);
  const store = new RunStore(folder.runs, facts);
  const draft = new PlanDraft(options, model, facts);
  for (const note of store.notes) draft.note(note);
  const bar = new ProgressBar(output);
  try {
    const { failure, placement } = await measure({ options, model, store, draft, stop, folder, progress: bar.show });
    const hardware = hardwareOf(placement);
    const pool = new SimulationPool(hardware.cpus);
    await calculate({ options, draft, hardware, pool, stop, progress: bar.show }).finally(() => pool.close());
    noteCircumstances(options, draft, hardware, facts.machine, model.config);
    const plan = draft.plan();
    return { plan, failure: writeAll(options, folder, draft, plan, model, hardware) ?? failure };
  } finally {
    bar.clear();
  }
}

interface Measuring {
  readonly options: PlanOptions;
  readonly model: ModelUnderTest;
  readonly store: RunStore;
  readonly draft: PlanDraft;
  readonly stop: AbortSignal;
  readonly folder: PlanFolder;
  readonly progress: (progress: SearchProgress) => void;
}

interface Measured {
  readonly placement: Placement;
  /** What ended it early, where that was not `stop`. */
  readonly failure: unknown;
}

/** Throws what makes a plan pointless. */
async function measure({ options, model, store, draft, stop, folder, progress }: Measuring): Promise<Measured> {
  const save = (): void => {
    // Until something is measured, an earlier plan stays as it is.
    if (draft.trials.length > 0) writePlan(folder, draft.plan());
  };
  const servers = new PlanServers(model, store, stop, (trial) => {
    draft.add(trial);
    if (draft.trials.length === 1) save();
  });
  try {
    await measureCourse({ options, draft, save, servers, clock: store.clock, progress });
    return { placement: servers.placement, failure: servers.died };
  } catch (thrown) {
    if (stop.aborted) {
      draft.note('The measuring was stopped before its end: the same command goes on with it.');
      return { placement: servers.placement, failure: undefined };
    }
    if (thrown instanceof OptionsError) noteRefusal(draft, thrown);
    else draft.note(`The measuring ended before its time: ${messageOf(thrown)}.`);
    return { placement: servers.placement, failure: thrown };
  } finally {
    await servers.close();
  }
}

/** Such as a goal below the time of a lone request, which the plan then shows. Throws it where nothing was measured. */
function noteRefusal(draft: PlanDraft, refusal: OptionsError): void {
  if (draft.trials.length === 0) throw refusal;
  const lone = draft.trials.find(({ load }) => load.inFlight === 1);
  draft.loneRequestMs ??= lone?.result.latency_ms.p50.value ?? null;
  for (const fault of refusal.faults) draft.note(sentence(fault));
}

/** What kept it from all files; undefined = nothing did. */
function writeAll(
  { autoscaler, k8s, out, sharedBy }: PlanOptions,
  folder: PlanFolder,
  draft: PlanDraft,
  plan: Plan,
  { config }: ModelUnderTest,
  hardware: Hardware,
): WriteFailure | undefined {
  if (draft.trials.length === 0) return undefined;
  try {
    writeOutputs(folder, plan, config, { autoscaler, k8s, out, hardware, sharedBy, cpuMsPerRequest: draft.cpuMsPerRequest });
    return undefined;
  } catch (thrown) {
    if (thrown instanceof WriteFailure) return thrown;
    throw thrown;
  }
}
