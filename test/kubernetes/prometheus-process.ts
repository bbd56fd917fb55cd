/** A real Prometheus in a process of its own, which scrapes once a second what it is told to. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { writeRulesFile, type RuleGroup } from './rules.js';
import { toolEnvironment } from './tools.js';

export interface Target {
  /** host:port */
  readonly address: string;
  /** As the operator makes them of a ServiceMonitor; `job` among them. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

export interface RuleHealth {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
}

export class PrometheusProcess {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(child: ChildProcess, folder: string, url: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  static async start(targets: readonly Target[], groups: readonly RuleGroup[]): Promise<PrometheusProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-prometheus-'));
    await writeRulesFile(groups, join(folder, 'rules.yaml'));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yaml'],
      scrape_configs: [{ job_name: 'penstock', static_configs: targets.map(({ address, labels }) => ({ targets: [address], labels })) }],
    };
    writeFileSync(join(folder, 'prometheus.yaml'), stringify(config));
    const flags = ['--config.file=prometheus.yaml', '--storage.tsdb.path=data', '--web.listen-address=127.0.0.1:0'];
    const child = spawn('prometheus', flags, { cwd: folder, env: toolEnvironment, stdio: ['ignore', 'ignore', 'pipe'] });
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.removeListener('exit', kill));
    try {
      return new PrometheusProcess(child, folder, `http://${await addressOf(child)}`);
    } catch (thrown) {
      kill();
      throw thrown;
    }
  }

  /** The instant vector that a query gives now. Throws with Prometheus' words when it is wrong. */
  async query(expr: string): Promise<readonly Series[]> {
    const { result } = (await this.#get(`query?query=${encodeURIComponent(expr)}`)) as {
      result: readonly { metric: Record<string, string>; value: [number, string] }[];
    };
    return result.map(({ metric, value: [, text] }) => ({ metric, value: text === '+Inf' ? Infinity : Number(text) }));
  }

  async alerts(): Promise<readonly ActiveAlert[]> {
    return ((await this.#get('alerts')) as { alerts: readonly ActiveAlert[] }).alerts;
  }

  async rules(): Promise<readonly RuleHealth[]> {
    return ((await this.#get('rules')) as { groups: readonly { rules: readonly RuleHealth[] }[] }).groups.flatMap(({ rules }) => rules);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #get(path: string): Promise<unknown> {
    const answer = (await (await fetch(`${this.#url}/api/v1/${path}`)).json()) as { status: string; error?: string; data: unknown };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }
}

/** Where it listens, once it takes requests. */
async function addressOf(child: ChildProcess): Promise<string> {
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => void (log += text));
  for (const deadline = performance.now() + 20_000; performance.now() < deadline && child.exitCode === null; await sleep(50)) {
    const [, address] = /msg="Listening on" address=(\S+)/.exec(log) ?? [];
    if (address !== undefined && log.includes('Server is ready to receive web requests')) return address;
  }
  throw new Error(`Prometheus does not start:\n${log}`);
}
