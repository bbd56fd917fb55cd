/**
 * One probe of one container, by the rules of the kubelet (kubernetes/kubernetes, pkg/kubelet/prober/worker.go and
 * pkg/probe/http/http.go; docs: "Configure Liveness, Readiness and Startup Probes").
 */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Probe, ProbeKind } from './pod-template.js';

/** What the worker must know of its container each time. */
export interface ProbedContainer {
  readonly startedAtMs: number;
  /** The startup probe has succeeded, or there is none. */
  readonly hasStarted: boolean;
  /** The pod is being deleted. */
  readonly isTerminating: boolean;
}

export interface ProbeWorkerOptions {
  readonly kind: ProbeKind;
  readonly probe: Probe;
  readonly url: string;
  readonly container: () => ProbedContainer;
  /** Called with each result that stands, the thresholds reached; `why` belongs to the last probe. */
  readonly onResult: (ok: boolean, why: string) => void;
}

export class ProbeWorker {
  readonly #options: ProbeWorkerOptions;
  readonly #stop = new AbortController();
  #trigger = new AbortController();
  #lastOk: boolean | undefined;
  #run = 0;
  /** A failed startup or liveness probe is not repeated: the container is on its way out. */
  #isOnHold = false;

  constructor(options: ProbeWorkerOptions) {
    this.#options = options;
    void this.#loop();
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Probes now; periods are counted from here. */
  trigger(): void {
    this.#trigger.abort();
  }

  async #loop(): Promise<void> {
    const periodMs = this.#options.probe.periodSeconds * 1000;
    let from = performance.now();
    /** Periods since `from` that had their probe. A ticker keeps one tick for whoever is late, and no more. */
    let ticks = 0;
    while (!this.#stop.signal.aborted && (await this.#probe())) {
      const waitMs = Math.max(0, from + (ticks + 1) * periodMs - performance.now());
      await sleep(waitMs, undefined, { signal: AbortSignal.any([this.#stop.signal, this.#trigger.signal]) }).catch(() => {});
      if (this.#trigger.signal.aborted) {
        this.#trigger = new AbortController();
        from = performance.now();
        ticks = 0;
      } else {
        ticks = Math.max(ticks + 1, Math.floor((performance.now() - from) / periodMs));
      }
    }
  }

  /** False: this worker is done. */
  async #probe(): Promise<boolean> {
    const { kind, probe, url, container, onResult } = this.#options;
    if (this.#isOnHold) return true;
    const { startedAtMs, hasStarted, isTerminating } = container();
    // Only readiness goes on while a pod ends.
    if (isTerminating && kind !== 'readiness') return false;
    if (performance.now() - startedAtMs < probe.initialDelaySeconds * 1000) return true;
    if (hasStarted === (kind === 'startup')) return true;
    const { ok, why } = await httpGet(url, probe.timeoutSeconds);
    if (this.#stop.signal.aborted) return false;
    this.#run = this.#lastOk === ok ? this.#run + 1 : 1;
    this.#lastOk = ok;
    if (this.#run < (ok ? probe.successThreshold : probe.failureThreshold)) return true;
    this.#isOnHold = !ok && kind !== 'readiness';
    onResult(ok, why);
    return true;
  }
}

/** A connection of its own each time. A redirect counts as success: the server sends none. */
function httpGet(url: string, timeoutSeconds: number): Promise<{ ok: boolean; why: string }> {
  return new Promise((resolve) => {
    const headers = { 'user-agent': 'kube-probe/1.36', accept: '*/*', connection: 'close' };
    const probe = request(url, { agent: false, headers, signal: AbortSignal.timeout(timeoutSeconds * 1000) }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', (error) => resolve({ ok: false, why: error.message }));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        resolve({ ok: status >= 200 && status < 400, why: `HTTP ${status}: ${body}` });
      });
    });
    probe.on('error', (error) => resolve({ ok: false, why: error.message }));
    probe.end();
  });
}
