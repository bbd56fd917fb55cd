/** A server of ours with one model under given settings, and what it does under a load. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { measuredEnvironment } from '../../config/measured-environment.js';
import { ServerError } from '../../errors.js';
import { runLoad } from '../load/load-generator.js';
import { findHttpTarget, NoAnswer, RequestRefused } from '../load/http-target.js';
import type { LoadTarget } from '../load/load-target.js';
import type { LoadSettings } from '../load/load-settings.js';
import { ROWS } from '../load/sample-tensors.js';
import type { ServerSettings } from '../server-settings.js';
import { writeRepository, type ModelUnderTest } from './model-under-test.js';
import { readServed, type Placement, type Served } from './served-model.js';
import { readUse, useBetween, type ServerUse } from './server-use.js';
import type { Trial, TrialLoad } from './trial.js';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
/** Loaded into the server before its own code: when we are gone, however we went, the channel closes, and so does the server. */
const END_WITH_US = `data:text/javascript,process.on('disconnect',()=>process.kill(process.pid,'SIGKILL'))`;
/** Large models are read, optimised and tried out before they are ready. */
const START_TIMEOUT_MS = 300_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
/** Lines of its log that are kept for a message. */
const KEPT_LINES = 50;
/** A refusal that is no fault of the server. */
const REFUSED = 400;
const CONNECTIONS = 1024;
/** Seconds of a trial that are not counted: queues and caches settle. */
const MOST_WARM_UP_S = 1;
/** What has not been answered this long after the last request was sent is not answered; an overloaded server has a queue to drop. */
const LEAST_GRACE_S = 2;

/** A process that is about to end, or whose last words are still on their way. */
const END_TIMEOUT_MS = 2000;
/** Of the goal: what is sent last is waited for as well, and so is what is later than it should be. */
const GRACE_GOALS = 2;

/** A measured server that never became ready, ended by itself or fails at every request. The message has its last words. */
export class ServerDied extends ServerError {
  constructor(message: string) {
    super('ERR_MODEL_RUN', message);
  }
}

/** It never became ready: with this model or under these settings there is no server. */
export class NeverReady extends ServerDied {}

/** Seconds that the trial takes besides those that count. */
export function warmUpSeconds(seconds: number): number {
  return Math.min(MOST_WARM_UP_S, seconds / 4);
}

export class MeasuredServer {
  readonly #model: ModelUnderTest;
  readonly #settings: ServerSettings;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  /** Aborted when the process has ended and all of its last words are here. */
  readonly #ended = new AbortController();
  #served: Served | undefined;
  readonly #targets = new Map<number, LoadTarget>();
  #url = new URL('http://127.0.0.1');

  private constructor(model: ModelUnderTest, settings: ServerSettings, folder: string) {
    this.#model = model;
    this.#settings = settings;
    this.#folder = folder;
    const flags = [
      ...['--model-repository', join(folder, 'models'), '--exit-on-error', '--ready-file', join(folder, 'ready.json')],
      ...['--host', '127.0.0.1', '--http-port', '0', '--allow-grpc', 'false', '--allow-metrics', 'false'],
      ...['--log-level', 'warn'],
      ...['--drain-delay-secs', '0', '--exit-timeout-secs', '1', '--cpu-threads', String(settings.cpuThreads)],
    ];
    // In a group of its own: Ctrl-C in a terminal reaches it only from here.
    this.#child = spawn(process.execPath, ['--import', END_WITH_US, MAIN, 'serve', ...flags], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: measuredEnvironment().whole,
      detached: true,
    });
    this.#child.once('close', () => this.#ended.abort());
    // Whoever else has its standard error may keep that open.
    this.#child.once('exit', () => setTimeout(() => this.#ended.abort(), END_TIMEOUT_MS).unref());
    this.#child.once('error', (error) => {
      this.#lines.push(error.message);
      this.#ended.abort();
    });
    if (this.#child.stderr === null) return;
    createInterface(this.#child.stderr).on('line', (line) => {
      this.#lines.push(line);
      if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    });
  }

  /**
   * Resolves when the model answers. Throws `ServerDied` when it never does, or answers as a broken server does (5xx), `OptionsError` when
   * no request for it can be made, and the reason of `stop`; nothing is left of the server then.
   */
  static async start(model: ModelUnderTest, settings: ServerSettings, stop: AbortSignal): Promise<MeasuredServer> {
    stop.throwIfAborted();
    const folder = mkdtempSync(join(tmpdir(), 'penstock-plan-'));
    let server: MeasuredServer | undefined;
    try {
      await writeRepository(join(folder, 'models'), model, settings, stop);
      server = new MeasuredServer(model, settings, folder);
      await server.#becomeReady(stop);
      await server.#tryOut(stop);
      return server;
    } catch (thrown) {
      await server?.stop();
      rmSync(folder, { recursive: true, force: true });
      throw thrown;
    }
  }

  /** Of requests with one row. */
  get target(): LoadTarget {
    const target = this.#targets.get(1);
    if (target === undefined) throw new ServerError('ERR_INTERNAL', 'the server was not started');
    return target;
  }

  /** Of the process, for tests. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What the server says of the model that it runs. */
  get served(): Served {
    if (this.#served === undefined) throw new ServerError('ERR_INTERNAL', 'the server was not started');
    return this.#served;
  }

  /**
   * A result that the generator refused is a result, too. Throws `ServerDied` when the server ended or broke meanwhile, `OptionsError` when
   * it does not take such requests, and the reason of `stop`: what was measured until then is no trial.
   */
  async measure(load: TrialLoad, stop: AbortSignal): Promise<Trial> {
    stop.throwIfAborted();
    try {
      const target = await this.#targetOf(load.rowsPerRequest, stop);
      const before = await this.#use();
      const ends = AbortSignal.any([stop, this.#ended.signal]);
      const result = await runLoad(this.#settingsOf(load), target, ends, () => {});
      stop.throwIfAborted();
      if (result === undefined || this.#ended.signal.aborted) throw this.#death('died while it was measured');
      return { settings: this.#settings, gpus: gpusOf(this.served.placement), load, result, ...useBetween(before, await this.#use()) };
    } catch (thrown) {
      throw await this.#reasonOf(thrown, stop, 'died while it was measured');
    }
  }

  /** May be repeated. */
  async stop(): Promise<void> {
    if (!this.#ended.signal.aborted) {
      const exited = once(this.#ended.signal, 'abort');
      this.#child.kill('SIGTERM');
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #becomeReady(stop: AbortSignal): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      stop.throwIfAborted();
      if (this.#ended.signal.aborted) throw new NeverReady(this.#death('did not become ready').message);
      const ports = this.#readyPorts();
      if (ports !== undefined) {
        this.#url = new URL(`http://127.0.0.1:${ports.http}`);
        return;
      }
      if (performance.now() > deadline) {
        throw new NeverReady(this.#death(`did not become ready within ${START_TIMEOUT_MS / 1000} s`).message);
      }
      await sleep(POLL_MS);
    }
  }

  #readyPorts(): { readonly http: number } | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#folder, 'ready.json'), 'utf8')) as { readonly http: number };
    } catch {
      return undefined;
    }
  }

  async #tryOut(stop: AbortSignal): Promise<void> {
    try {
      await this.#targetOf(1, stop);
      this.#served = readServed(await this.#read('config'));
    } catch (thrown) {
      throw await this.#reasonOf(thrown, stop, 'died of its first request');
    }
  }

  /** What is to be thrown instead. */
  async #reasonOf(thrown: unknown, stop: AbortSignal, how: string): Promise<unknown> {
    stop.throwIfAborted();
    // A server that still answers that the request is wrong has nothing more to say.
    if (thrown instanceof ServerDied || (thrown instanceof RequestRefused && thrown.status < 500)) return thrown;
    // What broke may be due to an end that is only about to be noticed.
    await Promise.race([once(this.#child, 'close'), sleep(this.#ended.signal.aborted ? 0 : END_TIMEOUT_MS)]);
    stop.throwIfAborted();
    if (this.#ended.signal.aborted) return this.#death(how);
    if (!(thrown instanceof RequestRefused || thrown instanceof NoAnswer)) return thrown;
    return new ServerDied(`the measured server fails: ${thrown.message}`);
  }

  async #targetOf(rows: number, stop: AbortSignal): Promise<LoadTarget> {
    const known = this.#targets.get(rows);
    if (known !== undefined) return known;
    const { latencyGoalMs } = this.#model.choices;
    const ends = AbortSignal.any([stop, this.#ended.signal]);
    const target = await findHttpTarget(this.#settingsOf({ ...NO_LOAD, rowsPerRequest: rows }), false, ends).catch((thrown: unknown) => {
      if (!(thrown instanceof RequestRefused) || latencyGoalMs === 0) throw thrown;
      // It refuses even a lone request when it knows from its own measurements that the run alone takes longer.
      const lone = `not even a lone request is answered, with a goal of ${latencyGoalMs} ms`;
      throw new RequestRefused(REFUSED, `${lone}: ${thrown.message}`);
    });
    this.#targets.set(rows, target);
    return target;
  }

  /** Of a batched model, the first dimension is that of the rows; of another one it is what the user says. */
  #shapes(): ReadonlyMap<string, readonly number[]> {
    const { shapes } = this.#model.choices;
    if (this.#settings.maxBatchSize === 0) return shapes;
    return new Map([...shapes].map(([name, [, ...others]]) => [name, [ROWS, ...others]]));
  }

  #settingsOf(load: TrialLoad): LoadSettings {
    return {
      url: this.#url,
      model: this.#model.name,
      modelVersion: '',
      rate: load.rate,
      duration: load.seconds,
      arrivals: load.arrivals,
      closedLoop: load.inFlight,
      warmUp: warmUpSeconds(load.seconds),
      grace: Math.max(LEAST_GRACE_S, load.seconds, (GRACE_GOALS * (load.goalMs ?? 0)) / 1000),
      batchSize: load.rowsPerRequest,
      shapes: this.#shapes(),
      data: this.#model.choices.data,
      seed: load.seed,
      threads: 1,
      connections: CONNECTIONS,
      streams: null,
      goalMs: load.goalMs,
    };
  }

  async #use(): Promise<ServerUse> {
    return readUse(this.pid, await this.#read('stats'));
  }

  async #read(document: 'stats' | 'config'): Promise<unknown> {
    const path = `/v2/models/${encodeURIComponent(this.#model.name)}/${document}`;
    return (await fetch(new URL(path, this.#url), { signal: AbortSignal.timeout(STOP_TIMEOUT_MS) })).json();
  }

  #death(how: string): ServerDied {
    const { exitCode, signalCode } = this.#child;
    const end = signalCode ?? (exitCode === null ? '' : `exit code ${exitCode}`);
    const words = lastWords(this.#lines);
    return new ServerDied(`the measured server ${how}${end === '' ? '' : ` (${end})`}${words === '' ? '' : `: ${words}`}`);
  }
}

function gpusOf(placement: Placement): number {
  return placement.kind === 'gpu' ? placement.gpus.length : 0;
}

const NO_LOAD: TrialLoad = { rate: 1, inFlight: null, arrivals: 'constant', seconds: 1, rowsPerRequest: 1, seed: 1, goalMs: null };

/** The last line of the log that tells of an error; where there is none, what another program has written last. */
function lastWords(lines: readonly string[]): string {
  const entries = lines.map((line) => {
    try {
      return JSON.parse(line) as { readonly level?: string; readonly msg?: string };
    } catch {
      return { level: 'raw', msg: line };
    }
  });
  const last = (...levels: string[]): string | undefined => entries.findLast(({ level = '' }) => levels.includes(level))?.msg;
  return last('fatal', 'error') ?? last('raw') ?? '';
}
