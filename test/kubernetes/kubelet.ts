/**
 * One pod of a built manifest on this machine, run by the rules of the kubelet with real processes and real clocks:
 * probes as probe-worker.ts has them; a container that exits is started again (restartPolicy Always) under the back-off of crash loops;
 * one that fails its startup or liveness probe, or whose pod is deleted, is ended by preStop, SIGTERM and SIGKILL within the grace period.
 * Sources: kubernetes.io "Pod Lifecycle"; kubernetes/kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer), and
 * pkg/kubelet/kubelet.go (back-off).
 *
 * The command line stays as the manifest has it. Paths in it and in the configuration hold, because each container has a file system of
 * its own. Ports would collide with those of other pods, so each named port gets a free one, by way of the server's variables.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../support/free-ports.js';
import type { FileContent } from '../support/model-folder.js';
import { Container, PodVolumes, SERVER_COMMAND, type ContainerEnd } from './container.js';
import { PROBE_KINDS, type PodTemplate, type ProbeKind } from './pod-template.js';
import { ProbeWorker } from './probe-worker.js';

/** The first restart comes at once, the second after 10 s, then twice as long each time; a pod lives on for 10 minutes to start afresh. */
const BACK_OFF_MS = 10_000;
const MAX_BACK_OFF_MS = 300_000;
/** What SIGTERM gets when preStop has used up the grace period. */
const MIN_GRACE_MS = 2000;

/** Which variable moves which port. */
const PORT_VARIABLES: Readonly<Record<string, string>> = {
  http: 'PENSTOCK_HTTP_PORT',
  grpc: 'PENSTOCK_GRPC_PORT',
  management: 'PENSTOCK_METRICS_PORT',
};

export interface PodEvent {
  /** Since the pod was created. */
  readonly atMs: number;
  readonly kind: 'started' | 'startup' | 'ready' | 'not-ready' | 'killing' | 'deleted' | 'sigterm' | 'sigkill' | 'exited' | 'back-off';
  /** Why, or what the container left as its last words. */
  readonly text: string;
  /** Of `exited`. */
  readonly exitCode?: number;
}

export interface PodOptions {
  /** Files of the volume `models`. */
  readonly models?: Readonly<Record<string, FileContent>>;
  /** What the node adds to the environment, such as a container runtime that brings GPUs. */
  readonly nodeEnv?: Readonly<Record<string, string>>;
  /** What the image starts, before the arguments of the manifest. */
  readonly command?: readonly string[];
  /** Called before the container is started again. */
  readonly beforeRestart?: () => void;
}

export class Pod {
  readonly template: PodTemplate;
  readonly events: PodEvent[] = [];
  /** What its containers have written. */
  readonly log: string[] = [];
  readonly #options: PodOptions;
  readonly #ports: Readonly<Record<string, number>>;
  readonly #volumes: PodVolumes;
  readonly #createdAtMs = performance.now();
  readonly #life: Promise<void>;
  readonly #ended = new AbortController();
  readonly #listeners = new Set<() => void>();
  #container: Container | undefined;
  #workers = new Map<ProbeKind, ProbeWorker>();
  #isReady = false;
  #hasStarted = false;
  #isDeleted = false;

  private constructor(template: PodTemplate, ports: Readonly<Record<string, number>>, options: PodOptions) {
    this.template = template;
    this.#options = options;
    this.#ports = ports;
    this.#volumes = new PodVolumes(template, options.models ?? {});
    this.#life = this.#live();
  }

  static async create(template: PodTemplate, options: PodOptions = {}): Promise<Pod> {
    const names = Object.keys(template.ports);
    const free = await freePorts(names.length);
    return new Pod(template, Object.fromEntries(names.map((name, i) => [name, free[i] ?? 0])), options);
  }

  /** The condition that decides whether Services send to it; a pod that is being deleted gets nothing whatever this says. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get isDeleted(): boolean {
    return this.#isDeleted;
  }

  address(port: string): string {
    return `127.0.0.1:${this.#portNumber(port)}`;
  }

  count(kind: PodEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  /** Waits for the `nth` event of this kind since the pod was created. */
  async until(kind: PodEvent['kind'], withinMs: number, nth = 1): Promise<PodEvent> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const found = this.events.filter((event) => event.kind === kind)[nth - 1];
      if (found !== undefined) return found;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`no "${kind}" number ${nth} within ${withinMs} ms:\n${this.describe()}`);
      const stop = new AbortController();
      let listener = (): void => {};
      const next = new Promise<void>((resolve) => this.#listeners.add((listener = resolve)));
      await Promise.race([next, sleep(leftMs, undefined, { signal: stop.signal }).catch(() => {})]);
      stop.abort();
      this.#listeners.delete(listener);
    }
  }

  /** Deletes the pod with its grace period. Resolves when it is gone. May be repeated. */
  async delete(): Promise<void> {
    if (!this.#isDeleted) {
      this.#isDeleted = true;
      this.#note('deleted');
      if (this.#container !== undefined) void this.#kill(this.#container);
      else this.#ended.abort();
    }
    await this.#life;
  }

  /** Ends everything now, as no kubelet would, and takes the volumes away. */
  async destroy(): Promise<void> {
    this.#isDeleted = true;
    this.#ended.abort();
    this.#container?.signal('SIGKILL');
    await this.#life;
    this.#volumes.remove();
  }

  /** The time line and the log, for messages of failure. */
  describe(): string {
    const lines = this.events.map(({ atMs, kind, exitCode, text }) => `${(atMs / 1000).toFixed(1)} s ${kind} ${exitCode ?? ''} ${text}`);
    return [...lines, ...this.log].join('\n');
  }

  async #live(): Promise<void> {
    for (let restarts = 0; ; restarts++) {
      const { exitCode, message } = await this.#runContainer();
      this.#note('exited', message, exitCode);
      this.#setReady(false, 'the container has ended');
      if (this.#isDeleted) return;
      if (restarts > 0) {
        const waitMs = Math.min(BACK_OFF_MS * 2 ** (restarts - 1), MAX_BACK_OFF_MS);
        this.#note('back-off', `${waitMs} ms`);
        await sleep(waitMs, undefined, { signal: this.#ended.signal }).catch(() => {});
        if (this.#isDeleted) return;
      }
      this.#options.beforeRestart?.();
    }
  }

  async #runContainer(): Promise<ContainerEnd> {
    const ports = Object.entries(this.#ports).map(([name, port]) => [PORT_VARIABLES[name] ?? '', String(port)]);
    const env = { ...this.#options.nodeEnv, ...this.template.env, ...(Object.fromEntries(ports) as Record<string, string>) };
    const command = [...(this.#options.command ?? SERVER_COMMAND), ...this.template.args];
    const container = new Container(command, env, this.#volumes, (line) => this.log.push(line));
    this.#container = container;
    this.#hasStarted = this.template.probes.startup === undefined;
    this.#note('started');
    for (const kind of PROBE_KINDS) this.#startWorker(kind, container);
    if (this.template.probes.readiness === undefined) this.#setReady(this.#hasStarted, 'no readiness probe');
    const end = await container.exited;
    for (const worker of this.#workers.values()) worker.stop();
    this.#workers.clear();
    this.#container = undefined;
    return end;
  }

  #startWorker(kind: ProbeKind, container: Container): void {
    const probe = this.template.probes[kind];
    if (probe === undefined) return;
    const port = typeof probe.port === 'number' ? this.#portName(probe.port) : probe.port;
    const options = {
      kind,
      probe,
      url: `http://${this.address(port)}${probe.path}`,
      container: () => ({ startedAtMs: container.startedAtMs, hasStarted: this.#hasStarted, isTerminating: this.#isDeleted }),
      onResult: (ok: boolean, why: string) => this.#onResult(kind, container, ok, why),
    };
    this.#workers.set(kind, new ProbeWorker(options));
  }

  #onResult(kind: ProbeKind, container: Container, ok: boolean, why: string): void {
    if (kind === 'readiness') {
      this.#setReady(ok, why);
    } else if (!ok) {
      this.#note('killing', `${kind} probe: ${why}`);
      void this.#kill(container);
    } else if (kind === 'startup') {
      this.#hasStarted = true;
      this.#note('startup', why);
      if (this.template.probes.readiness === undefined) this.#setReady(true, why);
      // Not only after the rest of its period.
      this.#workers.get('readiness')?.trigger();
    }
  }

  /** preStop counts towards the grace period. */
  async #kill(container: Container): Promise<void> {
    const over = new AbortController();
    void container.exited.then(() => over.abort());
    const wait = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal: over.signal }).catch(() => {});
    const startedMs = performance.now();
    const graceMs = this.template.gracePeriodSeconds * 1000;
    await wait(Math.min(this.template.preStopSeconds * 1000, graceMs));
    if (over.signal.aborted) return;
    this.#note('sigterm');
    container.signal('SIGTERM');
    await wait(Math.max(MIN_GRACE_MS, graceMs - (performance.now() - startedMs)));
    if (over.signal.aborted) return;
    this.#note('sigkill');
    container.signal('SIGKILL');
  }

  #setReady(ready: boolean, why: string): void {
    if (ready === this.#isReady) return;
    this.#isReady = ready;
    this.#note(ready ? 'ready' : 'not-ready', why);
  }

  #note(kind: PodEvent['kind'], text = '', exitCode?: number): void {
    this.events.push({ atMs: performance.now() - this.#createdAtMs, kind, text, ...(exitCode === undefined ? {} : { exitCode }) });
    for (const listener of [...this.#listeners]) listener();
  }

  #portName(number: number): string {
    return Object.entries(this.template.ports).find(([, port]) => port === number)?.[0] ?? '';
  }

  #portNumber(name: string): number {
    const port = this.#ports[name];
    if (port === undefined) throw new Error(`the container has no port ${name}`);
    return port;
  }
}
