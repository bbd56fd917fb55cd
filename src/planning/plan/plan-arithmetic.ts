/** What a plan works out of its trials: the fleet, and how well the model of the server predicts what was measured. */
import { OptionsError } from '../../config/load.js';
import type { SearchProgress } from '../measure/max-rate.js';
import type { Trial } from '../measure/trial.js';
import type { SimulationPool } from '../server-model/simulation-pool.js';
import type { Simulate } from '../server-model/simulation-job.js';
import { settingsName, type ServerSettings } from '../server-settings.js';
import type { PlanDraft } from './plan-draft.js';
import { planFleet, predictCells } from './plan-fleet.js';
import type { PlanOptions } from './plan-options.js';
import type { Hardware } from './prices.js';
import { sentence } from './sentence.js';

export interface Arithmetic {
  readonly options: PlanOptions;
  readonly draft: PlanDraft;
  readonly hardware: Hardware;
  readonly pool: Pick<SimulationPool, 'run'>;
  /** Ends the simulations. Who stopped the measuring with it gets the number of replicas all the same, which takes seconds. */
  readonly stop: AbortSignal;
  readonly progress: (progress: SearchProgress) => void;
}

/** What does not suffice for a fleet, or for predictions, and what was stopped is a note and not the end. */
export async function calculate({ options, draft, hardware, pool, stop, progress }: Arithmetic): Promise<void> {
  const { best, trials } = draft;
  if (best === null) return;
  const wasStopped = stop.aborted;
  const simulating = (text: string): Simulate => {
    return (jobs) => {
      progress({ done: trials.length, share: 1, secondsLeft: 0, text });
      return wasStopped ? pool.run(jobs) : pool.run(jobs, stop);
    };
  };
  const noteOf = (thrown: unknown, stopped: string): void => {
    if (!wasStopped && stop.aborted && thrown === stop.reason) draft.note(stopped);
    else if (thrown instanceof OptionsError) for (const fault of thrown.faults) draft.note(sentence(fault));
    else throw thrown;
  };
  await planFleet(options, best, trials, hardware, simulating('simulating replicas')).then(
    (fleet) => (draft.fleet = fleet),
    (thrown: unknown) => noteOf(thrown, 'The simulation was stopped: there is no number of replicas without it.'),
  );
  const skipped = 'How well the model of the server predicts was not looked at, because the plan was stopped: the same command does it.';
  if (stop.aborted) {
    draft.note(skipped);
    return;
  }
  const lone = trials.filter(({ load }) => load.inFlight === 1);
  const cells = draft.found
    .filter(({ rate }) => rate.low > 0)
    .map(({ settings, rate }) => ({ settings, measured: rate, trials: loadedTrials(trials, settings) }));
  await predictCells(options, cells, lone, hardware, simulating('simulating what was measured')).then(
    (predictions) => (draft.predictions = predictions),
    (thrown: unknown) => noteOf(thrown, skipped),
  );
}

function loadedTrials(trials: readonly Trial[], settings: ServerSettings): readonly Trial[] {
  return trials.filter((trial) => settingsName(trial.settings) === settingsName(settings) && trial.load.inFlight !== 1);
}
