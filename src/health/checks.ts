/** The three health questions as lists of named checks: pure, from facts to a snapshot. */
import type { HealthCheck, HealthSnapshot } from '../bridge/health-snapshot.js';
import type { GpuVerdict } from './gpu-health.js';

export interface ModelHealth {
  readonly name: string;
  readonly readyVersions: number;
  /** Why it has no ready version, or why one of its versions is missing; empty = nothing is wrong. */
  readonly reason: string;
}

export interface HealthFacts {
  /** How long the main thread was late for its last turn, milliseconds. */
  readonly blockedMs: number;
  /** Counted in versions. */
  readonly loading: { readonly over: boolean; readonly done: number; readonly total: number };
  readonly models: readonly ModelHealth[];
  readonly frontEnds: { readonly listening: number; readonly expected: number };
  readonly exiting: boolean;
  /** Absent: this process does not look for GPUs. */
  readonly gpus?: GpuFacts;
}

export interface GpuFacts {
  /** Why the start found none, as a word and in words; empty when it found one. */
  readonly startCause: string;
  readonly startReason: string;
  /** A model cannot do without one, or models still wait for one. */
  readonly needed: boolean;
  /** UUIDs of those that a ready version runs on. */
  readonly inUse: ReadonlySet<string>;
  readonly verdicts: readonly GpuVerdict[];
}

export interface HealthRules {
  /** Every model must have a ready version; otherwise one ready model is enough, because one bad model never stops the others. */
  readonly strictReadiness: boolean;
  /** The main thread may be late by this many milliseconds and still count as live. */
  readonly maxBlockedMs: number;
}

export function evaluateHealth(facts: HealthFacts, rules: HealthRules): HealthSnapshot {
  const gpus = facts.gpus?.verdicts ?? [];
  const live = [progress(facts.blockedMs, rules.maxBlockedMs), ...gpus.map(gpuLive)];
  const started = [modelsLoaded(facts.loading)];
  const ready = [
    modelsReady(facts, rules.strictReadiness),
    check('not-exiting', !facts.exiting, 'the server is shutting down'),
    // One that died is being replaced; the others serve everybody meanwhile.
    check(
      'front-ends-listening',
      facts.frontEnds.listening > 0,
      `${facts.frontEnds.listening} of ${facts.frontEnds.expected} front-end threads listen`,
    ),
    ...(facts.gpus === undefined ? [] : gpuFound(facts.gpus)),
    ...gpus.map((verdict) => gpuReady(verdict, facts.gpus?.inUse.has(verdict.uuid) ?? false)),
  ];
  return {
    live: allOk(live),
    ready: allOk(ready),
    started: allOk(started),
    exiting: facts.exiting,
    checks: { live, ready, started },
  };
}

function progress(blockedMs: number, maxBlockedMs: number): HealthCheck {
  return check('main-thread-progress', blockedMs <= maxBlockedMs, `the main thread stood still for ${Math.round(blockedMs)} ms`);
}

function modelsLoaded({ over, done, total }: HealthFacts['loading']): HealthCheck {
  const reason = total === 0 ? 'the model repository has not been read yet' : `${done} of ${total} model versions are loaded`;
  return check('models-loaded', over, reason);
}

/** A model that is being reloaded keeps its old version ready, so a reload changes nothing here. */
function modelsReady({ loading, models }: HealthFacts, strict: boolean): HealthCheck {
  const name = 'models-ready';
  if (!loading.over) return check(name, false, modelsLoaded(loading).reason);
  const failed = models.filter((model) => model.readyVersions === 0);
  const ok = models.length === 0 || (strict ? failed.length === 0 : failed.length < models.length);
  const reason = failed.map((model) => `model "${model.name}" is not ready: ${model.reason}`).join('; ');
  // Whoever asks what is wrong with a model should find it here, whether the others keep the server ready or not.
  return { ...check(name, ok, reason), ...(ok && reason !== '' ? { detail: reason } : {}) };
}

/** Whoever runs models on CPUs only does not care. */
function gpuFound({ needed, startCause, startReason }: GpuFacts): HealthCheck[] {
  return needed && startCause !== '' ? [check('gpu-found', false, `${startCause}: ${startReason}`)] : [];
}

function gpuLive({ uuid, live, cause, text }: GpuVerdict): HealthCheck {
  return check(`gpu-context ${uuid}`, live, `${cause}: ${text}`);
}

/** A GPU that no version runs on keeps no request from its answer, unless its failure ends the process. */
function gpuReady({ uuid, ready, end, cause, text, detail }: GpuVerdict, inUse: boolean): HealthCheck {
  const ok = ready || (!inUse && end === undefined);
  return { ...check(`gpu ${uuid}`, ok, `${cause}: ${text}`), detail: ready || !ok ? detail : `${detail}, ${cause}: ${text}` };
}

function check(name: string, ok: boolean, reason: string): HealthCheck {
  return { name, ok, reason: ok ? '' : reason };
}

function allOk(checks: readonly HealthCheck[]): boolean {
  return checks.every(({ ok }) => ok);
}
