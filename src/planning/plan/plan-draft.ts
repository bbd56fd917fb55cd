/** A plan while it is made: what is not known yet is empty, so that it can be written at any time. */
import type { ModelUnderTest } from '../measure/model-under-test.js';
import type { RunFacts } from '../measure/run-store.js';
import type { MaxRate, Trial } from '../measure/trial.js';
import { settingsName, type ServerSettings } from '../server-settings.js';
import { curveTrials, kneeOf, latencyCurve, trialAt } from './latency-curve.js';
import { NO_FLEET, type FleetPlan } from './plan-fleet.js';
import type { Plan, PlanCandidate, Prediction } from './plan.js';
import type { PlanOptions } from './plan-options.js';

export class PlanDraft {
  readonly #options: PlanOptions;
  readonly #model: ModelUnderTest;
  readonly #facts: Pick<RunFacts, 'machine' | 'versions'>;
  readonly #taken = new Date().toISOString();
  readonly #trials: Trial[] = [];
  readonly #notes: string[] = [];
  inputShapes: Readonly<Record<string, readonly number[]>> = {};
  loneRequestMs: number | null = null;
  isComplete = false;
  candidates: readonly PlanCandidate[] = [];
  /** Of the candidates, those that were searched to the end. */
  found: readonly MaxRate[] = [];
  /** null: none meets the goal, as far as was measured. */
  best: MaxRate | null = null;
  fleet: FleetPlan = NO_FLEET;
  predictions: readonly Prediction[] = [];

  constructor(options: PlanOptions, model: ModelUnderTest, facts: Pick<RunFacts, 'machine' | 'versions'>) {
    this.#options = options;
    this.#model = model;
    this.#facts = facts;
  }

  /** All so far, refused ones included. */
  get trials(): readonly Trial[] {
    return this.#trials;
  }

  add(trial: Trial): void {
    this.#trials.push(trial);
  }

  /** Each sentence once. */
  note(sentence: string): void {
    if (!this.#notes.includes(sentence)) this.#notes.push(sentence);
  }

  /** Of the chosen settings, at the highest rate that they sustain. */
  get atBest(): Trial | undefined {
    return this.best === null ? undefined : trialAt(this.#trials, this.best.settings, this.best.rate.value);
  }

  /** Of a server, at the highest rate that the chosen settings sustain, spinning left out; null = not known. */
  get cpuMsPerRequest(): number | null {
    const { laneCpuMs = 0, frontEndCpuMs = 0 } = this.atBest ?? {};
    return laneCpuMs + frontEndCpuMs > 0 ? laneCpuMs + frontEndCpuMs : null;
  }

  /** Points of the curve at which the generator was late itself. */
  get lateOnCurve(): number {
    return this.best === null ? 0 : curveTrials(this.#trials, this.best.settings).filter(({ result }) => result.refused !== null).length;
  }

  plan(): Plan {
    const { goal, rate, arrivals, seed, batchSize } = this.#options;
    const { settings } = this.best ?? {};
    const curve = settings === undefined ? [] : latencyCurve(this.#trials, settings);
    return {
      format: 1,
      taken: this.#taken,
      versions: this.#facts.versions,
      machine: this.#facts.machine,
      model: {
        name: this.#model.name,
        version: String(this.#model.version),
        inputShapes: this.inputShapes,
        rowsPerRequest: batchSize,
      },
      goal,
      load: { rate, arrivals },
      seed,
      loneRequestMs: this.loneRequestMs,
      isComplete: this.isComplete,
      candidates: this.candidates,
      chosen: settings === undefined ? null : (this.candidates.find((candidate) => isOf(candidate, settings)) ?? null),
      curve,
      knee: kneeOf(curve),
      batches: (this.atBest?.batches ?? []).map(({ rows, runs }) => ({ rows, runs })),
      ...this.fleet,
      predictions: this.predictions,
      notes: [...this.#notes],
    };
  }
}

const isOf = (candidate: PlanCandidate, settings: ServerSettings): boolean => settingsName(candidate.settings) === settingsName(settings);
