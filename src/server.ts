/** Composition root of the main thread: builds every object once; start, drain, destroy. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import { createVersion, exitNow, findGpus, gpus, openSession, ortVersion, publishCatalog, type NativeGpuReport } from './bridge/control.js';
import { nativeGrpcFault, nativeTlsFault, type TlsMaterial } from './bridge/front-end.js';
import { gpuStates } from './bridge/gpus.js';
import type { ThreadTls } from './bridge/thread-messages.js';
import { engineReadings, inFlightRequests, latencyBoundsSeconds } from './bridge/engine-readings.js';
import { HEALTH_MAX_AGE_MS, currentHealth, publishHealth, type HealthSnapshot } from './bridge/health-snapshot.js';
import type { Options } from './config/options.js';
import { VERSION } from './config/version.js';
import { ServerError } from './errors.js';
import { NativeLoops } from './frontend/native-loops.js';
import { RequestLog } from './frontend/request-log.js';
import type { HealthFacts } from './health/checks.js';
import { GpuWatch } from './health/gpu-watch.js';
import { HealthMonitor } from './health/health-monitor.js';
import { FrontEndThread } from './lifecycle/front-end-thread.js';
import { loopOptions, portNames, threadOptions, threadTls } from './lifecycle/front-end-options.js';
import { planFrontEnd, type FrontEndPlan } from './lifecycle/front-end-plan.js';
import { FrontEnds } from './lifecycle/front-ends.js';
import { logGpus } from './lifecycle/gpu-log.js';
import { Listeners } from './lifecycle/listeners.js';
import { GpuReaction } from './lifecycle/gpu-reaction.js';
import { GpuSearch } from './lifecycle/gpu-search.js';
import { GuardedEngine } from './lifecycle/guarded-engine.js';
import { memoryBound } from './lifecycle/memory-bound.js';
import { clearReadyFile, writeReadyFile, type ServerPorts } from './lifecycle/ready-file.js';
import { TlsFiles } from './lifecycle/tls-files.js';
import { registerEngineMetrics } from './management/engine-metrics.js';
import { registerGpuHealth, registerGpuMetrics } from './management/gpu-metrics.js';
import { ManagementServer } from './management/management-server.js';
import { registerHealth, registerModelStates, registerTls } from './management/state-metrics.js';
import { BlameFile } from './models/blame-file.js';
import { ModelStore, type ModelStoreOptions } from './models/life-cycle.js';
import { createLogger, type Logger } from './telemetry/log.js';
import { createRegistry } from './telemetry/process-metrics.js';

const FRONT_END_SCRIPT = new URL('./frontend/thread.js', import.meta.url);

/** Triton's default for ONNX models on the CPU: while one run computes, the next one gathers. One where two are not measured to pay. */
const DEFAULT_CPU_LANES = 2;

/** Of each GPU: the copies of one overlap the run of the other. */
const DEFAULT_GPU_LANES = 2;

/** Model files read at one time. Reading is mostly waiting for the disk, but each needs memory of its own while it is optimised. */
const PARALLEL_LOADS = 4;

/** A server that still loads has promised nobody anything: it ends well within the 5 s that SIGTERM gets then. */
const LOADING_EXIT_MS = 3000;

/** Answers to requests that were cancelled at the deadline get this long to leave. */
const CANCELLED_REPLIES_MS = 500;

/**
 * What the native front end passes on is answered to the end, so the JavaScript threads drain after it; but some of it ends only with their
 * drain, such as health streams and idle connections that they have taken over, and does not wait for longer.
 */
const HAND_OFF_GRACE_MS = 300;

export class Server {
  readonly #options: Options;
  readonly #log: Logger;
  readonly #monitor: HealthMonitor;
  readonly #models: ModelStore;
  readonly #plan: FrontEndPlan;
  readonly #frontEnds: FrontEnds;
  #loops: NativeLoops | undefined;
  /** Undefined = the ports are plain. */
  #tls: TlsFiles | undefined;
  #threadTls: ThreadTls | undefined;
  readonly #gpuReaction: GpuReaction;
  #gpuSearch: GpuSearch | undefined;
  #gpus: GpuWatch | undefined;
  readonly #listeners: Listeners;
  #management: ManagementServer | undefined;
  /** Of the metrics, unless those of GPUs are to be left out. */
  #registry: Registry | undefined;
  #ports: ServerPorts = { http: null, grpc: null, management: null };
  #engine: GuardedEngine | undefined;
  #exiting = false;
  /** Loading is over and its result is accepted: a server that is about to fail for it must not look ready first. */
  #isLoaded = false;
  #readyFileIsDue: boolean;
  #fail: (error: unknown) => void = () => {};
  /** Rejects when something broke that the server cannot go on without; never resolves. */
  readonly failed: Promise<never>;

  /** Throws `OptionsError` when --front-end asks for what this process cannot do, ERR_CONFIG_OPTION when a file cannot be written. */
  constructor(options: Options, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#listeners = new Listeners(log);
    this.#readyFileIsDue = options.readyFile !== '';
    this.failed = new Promise((_, reject) => (this.#fail = reject));
    this.failed.catch(() => {}); // Whoever has stopped listening to it is on the way out already.
    const { modelBlameFile } = options;
    const blames = modelBlameFile === '' ? undefined : new BlameFile({ path: modelBlameFile, log, now: () => Date.now() });
    this.#gpuReaction = new GpuReaction({ log, exitNow, ...(blames && { blame: (suspicion) => blames.follow(suspicion) }) });
    const plan = planFrontEnd(options, { grpc: nativeGrpcFault, tls: nativeTlsFault });
    this.#plan = plan;
    this.#frontEnds = new FrontEnds({
      count: plan.threads,
      startThread: (thread, onLost) => new FrontEndThread(FRONT_END_SCRIPT, threadOptions(options, plan, thread, this.#threadTls), onLost),
      log,
      onChange: () => this.#monitor.update(),
      onGivenUp: (error) => this.#fail(error),
      now: () => performance.now(),
    });
    this.#models = createModelStore({
      options,
      log,
      gpus: () => this.#findGpus(),
      ...(blames && { holdOf: (label) => blames.holdOf(label) }),
      onChange: () => this.#monitor.update(),
    });
    this.#monitor = new HealthMonitor({
      intervalMs: options.healthIntervalMs,
      rules: { strictReadiness: options.strictReadiness, maxBlockedMs: HEALTH_MAX_AGE_MS },
      facts: () => ({
        loading: { ...this.#models.progress(), over: this.#isLoaded },
        models: this.#models.models(),
        frontEnds: { listening: this.#frontEnds.listening, expected: plan.threads },
        exiting: this.#exiting,
        ...this.#gpuFacts(),
      }),
      publish: publishHealth,
      onChange: (health) => this.#onHealthChange(health),
      now: () => performance.now(),
    });
  }

  /**
   * Resolves when loading is over. Probes answer from early on, and models are served as they become ready. Rejects with what makes a
   * start impossible; `destroy` cleans up then. After `drain` or `destroy` it goes no further.
   */
  async start(): Promise<void> {
    if (this.#options.readyFile !== '') clearReadyFile(this.#options.readyFile);
    this.#tls = await TlsFiles.open(this.#options, this.#log);
    if (this.#tls !== undefined) this.#threadTls = threadTls(this.#tls.material);
    const engine = new GuardedEngine(this.#options);
    this.#engine = engine;
    const { kind, loops, threads, reason } = this.#plan;
    const frontEnd = kind === 'native' ? { front_end_threads: loops, hand_off_threads: threads } : { front_end_threads: threads };
    const cpu = { cpu_threads: engine.cpuThreads, front_end: kind, ...frontEnd };
    const facts = { version: VERSION, ort_version: ortVersion(), node_version: process.version, ...cpu };
    this.#log.info(
      { ...facts, worst_case: memoryBound(this.#options, this.#plan) },
      'starting; worst_case is the request memory that the limits allow',
    );
    if (reason !== '') this.#log.warn({ reason }, 'JavaScript serves the ports: the native front end cannot');
    const [log, now] = [this.#log, () => performance.now()];
    const { gpuWaitSecs, metricsIntervalMs } = this.#options;
    const search = new GpuSearch({ first: gpus(), findGpus, patienceMs: gpuWaitSecs * 1000, log, now });
    this.#gpuSearch = search;
    if (!search.isWorthWaiting) this.#logGpus(search.report);
    this.#gpus = new GpuWatch({ search, read: gpuStates, monitorIntervalMs: metricsIntervalMs, log, now });
    this.#monitor.start();
    await this.#listenForManagement();
    if (!this.#exiting) await this.#startFrontEnds();
    if (!this.#exiting) await this.#loadModels();
  }

  /**
   * Not ready at once; serves on for the drain delay, which `hurry` cuts short; then closes the ports and lets accepted requests end,
   * at most for the exit timeout. Resolves when the engine is stopped.
   */
  async drain(hurry: AbortSignal): Promise<void> {
    const loaded = this.#models.progress().over;
    const delayMs = loaded ? this.#options.drainDelaySecs * 1000 : 0;
    const timeoutMs = this.#options.exitTimeoutSecs * 1000;
    this.#exiting = true;
    this.#gpuSearch?.stop();
    this.#monitor.update();
    this.#loops?.goAway();
    this.#log.info({ delay_ms: delayMs, timeout_ms: timeoutMs }, 'draining: not ready any more, still serving');
    await sleep(delayMs, undefined, { signal: hurry }).catch(() => this.#log.info('the drain delay was cut short'));

    this.#listeners.close();
    const drained = this.#drainFrontEnds();
    if (!(await endsWithin(drained, loaded ? timeoutMs : Math.min(timeoutMs, LOADING_EXIT_MS)))) {
      this.#log.warn({ in_flight_requests: inFlightRequests() }, 'the exit timeout is over; requests in flight are cancelled');
      this.#engine?.stop();
      await endsWithin(drained, CANCELLED_REPLIES_MS);
    }
    await this.destroy();
    this.#log.info('drained');
  }

  /** Ends everything now. May be repeated. */
  async destroy(): Promise<void> {
    this.#exiting = true;
    this.#gpuSearch?.stop();
    this.#listeners.close();
    this.#tls?.stop();
    this.#loops?.destroy();
    await this.#frontEnds.destroy();
    this.#models.close();
    this.#monitor.stop();
    this.#engine?.stop();
    await this.#management?.close();
  }

  /** What models may run on, once it is known. */
  async #findGpus(): Promise<NativeGpuReport> {
    const search = this.#gpuSearch;
    if (search?.isWorthWaiting !== true) return gpus();
    const report = await search.end();
    if (!this.#exiting) this.#logGpus(report);
    this.#registerGpuMetrics();
    return report;
  }

  #logGpus(report: NativeGpuReport): void {
    logGpus(this.#log, report, this.#options.gpu === 'off');
  }

  /** Where there are GPUs: a server without has no such metrics. */
  #registerGpuMetrics(): void {
    if (this.#registry === undefined || gpus().gpus.length === 0) return;
    registerGpuMetrics(this.#registry, () => ({ ...engineReadings(), states: gpuStates() }));
  }

  /** Looks at the GPUs, and lets what it finds have its consequences. */
  #gpuFacts(): Pick<HealthFacts, 'gpus'> {
    if (this.#gpus === undefined) return {};
    const facts = this.#gpus.look(this.#models.models());
    this.#gpuReaction.follow(facts.verdicts);
    this.#models.tellNews();
    return { gpus: facts };
  }

  async #listenForManagement(): Promise<void> {
    if (!this.#options.allowMetrics) return;
    const registry = createRegistry({ version: VERSION, ortVersion: ortVersion() });
    registerHealth(registry, currentHealth);
    registerModelStates(registry, () => this.#models.models());
    if (this.#tls !== undefined) registerTls(registry, this.#tls);
    registerEngineMetrics(registry, engineReadings, latencyBoundsSeconds());
    if (this.#options.allowGpuMetrics) {
      registerGpuHealth(registry, () => this.#gpus?.troubles() ?? []);
      this.#registry = registry;
      this.#registerGpuMetrics();
    }
    const { host, metricsPort } = this.#options;
    this.#management = new ManagementServer({ host, port: metricsPort, health: currentHealth, metrics: registry, log: this.#log });
    this.#ports = { ...this.#ports, management: await this.#management.listen() };
  }

  async #startFrontEnds(): Promise<void> {
    const { host, httpPort, grpcPort, maxConnections, accessLog, logLevel } = this.#options;
    const servedNatively = this.#plan.kind === 'native';
    for (const name of portNames(this.#options)) {
      const port = name === 'http' ? httpPort : grpcPort;
      const opened = this.#listeners.open({ name, host, port, maxConnections, servedNatively });
      this.#ports = { ...this.#ports, [name]: opened };
    }
    await this.#frontEnds.start();
    if (servedNatively && !this.#exiting) {
      // What it passes on is taken from here on, so it may begin.
      const log = createLogger({ level: logLevel, name: 'frontend' });
      const facts = { logsRefusals: log.isLevelEnabled('debug'), tls: this.#tls?.material };
      const native = loopOptions(this.#options, this.#plan, facts);
      this.#loops = new NativeLoops({ native, log, requestLog: new RequestLog(log, accessLog) });
    }
    if (!this.#exiting) this.#tls?.watch((material) => this.#setTls(material));
    this.#log.info({ ports: this.#ports, front_end: this.#plan.kind, tls: this.#tls !== undefined }, 'listening');
  }

  #setTls(material: TlsMaterial): void {
    if (this.#plan.kind === 'native') this.#loops?.setTls(material);
    else this.#frontEnds.setTls((this.#threadTls = threadTls(material)));
  }

  async #drainFrontEnds(): Promise<void> {
    const native = this.#loops?.drain();
    if (native !== undefined) await endsWithin(native, HAND_OFF_GRACE_MS);
    await Promise.all([native, this.#frontEnds.drain()]);
  }

  async #loadModels(): Promise<void> {
    await this.#models.loadAll();
    const failed = this.#models.failedModels();
    if (this.#options.exitOnError && failed.length > 0) {
      const reasons = failed.map(({ name, reason }) => `model "${name}": ${reason}`);
      throw new ServerError('ERR_MODEL_LOAD', `--exit-on-error: ${reasons.join('; ')}`);
    }
    this.#isLoaded = true;
    this.#monitor.update();
  }

  #onHealthChange({ live, ready, started, checks }: HealthSnapshot): void {
    const failed = [...checks.live, ...checks.ready, ...checks.started]
      .filter(({ ok }) => !ok)
      .map(({ name, reason }) => `${name}: ${reason}`);
    this.#log.info({ live, ready, started, failed: [...new Set(failed)] }, ready ? 'ready' : 'not ready');
    if (!ready || !this.#readyFileIsDue) return;
    this.#readyFileIsDue = false;
    try {
      writeReadyFile(this.#options.readyFile, this.#ports);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }
}

type ModelStoreParts = Required<Pick<ModelStoreOptions, 'gpus' | 'onChange'>> &
  Pick<ModelStoreOptions, 'holdOf'> & {
    readonly options: Options;
    readonly log: Logger;
  };

/** The models that the options name, not loaded yet. */
export function createModelStore({ options, log, gpus, holdOf, onChange }: ModelStoreParts): ModelStore {
  return new ModelStore({ openSession, createVersion, publishCatalog }, log, {
    repositories: options.modelRepository,
    modelName: options.modelName,
    maxQueueSize: options.maxQueueSize,
    maxQueueBytes: options.maxQueueBytes,
    defaultLanes: { cpu: DEFAULT_CPU_LANES, gpu: DEFAULT_GPU_LANES },
    gpus,
    parallelLoads: PARALLEL_LOADS,
    ...(holdOf && { holdOf }),
    onChange,
  });
}

/** False when time is up first. */
async function endsWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const stop = new AbortController();
  const late = sleep(limitMs, false, { signal: stop.signal }).catch(() => false);
  const inTime = await Promise.race([work.then(() => true), late]);
  stop.abort();
  return inTime;
}
