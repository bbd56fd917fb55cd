/** A scenario of bench/k6, run by k6 to its end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { toolEnvironment } from '../kubernetes/tools.js';
import { repositoryRoot } from '../support/server-process.js';

export const SCENARIOS = ['smoke', 'ramp', 'soak', 'spike', 'peak-season'] as const;
export const PROTOCOLS = ['http', 'grpc'] as const;
export type Scenario = (typeof SCENARIOS)[number];
export type Protocol = (typeof PROTOCOLS)[number];

/** Codes that k6 ends with (go.k6.io/k6/errext/exitcodes). */
export const EXIT = { passed: 0, thresholdMissed: 99, aborted: 108 } as const;

export interface Summary {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly lastRateHeld?: number;
  readonly thresholds: readonly {
    readonly metric: string;
    readonly expression: string;
    readonly value: number | null;
    readonly isMet: boolean;
  }[];
  readonly metrics: Readonly<Record<string, { readonly values: Readonly<Record<string, number>> }>>;
}

export interface Run {
  readonly code: number | null;
  /** stdout and stderr. */
  readonly output: string;
  /** Metrics of which a threshold was missed. */
  readonly missed: readonly string[];
  /** Absent when k6 ended before it had one. */
  readonly summary: Summary | undefined;
}

/** Where the protocol is spoken. */
export const addressOf = (server: { httpUrl: string; grpcAddress: string }, protocol: Protocol): string =>
  protocol === 'http' ? server.httpUrl : server.grpcAddress;

/**
 * A low rate, and a goal that a busy machine meets. Settings that are not for the scenario do no harm. k6's own interface, which would
 * take a fixed port, stays closed, so that runs may be under way at the same time.
 */
export async function runScenario(scenario: Scenario, protocol: Protocol, settings: Readonly<Record<string, string>>): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-k6-'));
  const file = join(folder, 'summary.json');
  const all = { PROTOCOL: protocol, RATE: '20', VUS: '50', P95_MS: '5000', P99_MS: '8000', SUMMARY: file, ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  const args = ['run', '--quiet', '--no-usage-report', '--address', '', ...flags, join(repositoryRoot, 'bench/k6', `${scenario}.js`)];
  const child = spawn('k6', args, { env: toolEnvironment, stdio: ['ignore', 'pipe', 'pipe'], timeout: 50_000, killSignal: 'SIGKILL' });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  const missed = [...stdout.matchAll(/^MISSED (\S+)/gm)].map(([, metric]) => metric ?? '');
  const summary = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Summary) : undefined;
  rmSync(folder, { recursive: true });
  return { code, output: stdout + stderr, missed, summary };
}
