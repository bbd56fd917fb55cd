/** What each probe path answers, as a pure function of the health snapshot. Used by the front ends and by the management port alike. */
import type { HealthCheck, HealthSnapshot } from './health-snapshot.js';

export interface ProbeAnswer {
  /** 200 or 503. */
  readonly status: number;
  /** JSON. */
  readonly body: string;
}

type Question = 'live' | 'ready' | 'started';

interface Probe {
  readonly question: Question;
  /** The V2 paths answer in the protocol's words, `{"live":true}`; the others in `{"status":...,"checks":[...]}`. */
  readonly v2: boolean;
}

/** Every path; `/health` means live. */
const PROBES: ReadonlyMap<string, Probe> = new Map([
  ['/health', { question: 'live', v2: false }],
  ['/healthz', { question: 'live', v2: false }],
  ['/livez', { question: 'live', v2: false }],
  ['/ready', { question: 'ready', v2: false }],
  ['/readyz', { question: 'ready', v2: false }],
  ['/startup', { question: 'started', v2: false }],
  ['/startupz', { question: 'started', v2: false }],
  ['/v2/health/live', { question: 'live', v2: true }],
  ['/v2/health/ready', { question: 'ready', v2: true }],
]);

export function isProbePath(path: string): boolean {
  return PROBES.has(path);
}

/** The answer for a probe path; undefined when the path is not one. A failing probe is always 503 and names the checks that failed. */
export function probeAnswer(path: string, health: HealthSnapshot): ProbeAnswer | undefined {
  const probe = PROBES.get(path);
  if (probe === undefined) return undefined;
  const ok = health[probe.question];
  const checks = health.checks[probe.question];
  return { status: ok ? 200 : 503, body: JSON.stringify(probe.v2 ? v2Body(probe.question, ok, checks) : namedBody(ok, checks)) };
}

function v2Body(question: Question, ok: boolean, checks: readonly HealthCheck[]): object {
  return ok ? { [question]: true } : { [question]: false, checks: checks.map(namedCheck) };
}

function namedBody(ok: boolean, checks: readonly HealthCheck[]): object {
  return { status: ok ? 'ok' : 'failed', checks: checks.map(namedCheck) };
}

function namedCheck({ name, ok, reason, detail }: HealthCheck): object {
  return { name, ok, ...(ok ? {} : { reason }), ...(detail === undefined ? {} : { detail }) };
}
