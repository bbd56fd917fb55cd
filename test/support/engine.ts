/** The native engine in this very process, with fixture models in its catalog. One engine a process, hence one test file each. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  addon,
  type NativeCatalogModel,
  type NativeCompletion,
  type NativeEngineOptions,
  type NativeGpuOptions,
  type NativeSession,
  type NativeSessionOptions,
  type NativeSink,
  type NativeVersion,
} from '../../src/bridge/addon.js';
import type { NativeApiInput, NativeApiTensor, NativeBatching, NativeVersionSpec } from '../../src/bridge/version-spec.js';
import { findOrtLibrary } from '../../src/config/ort-library.js';
import { fixtureModels } from './server-process.js';
import { slowInputs } from './slow-model.js';
import { binaryRequest, type BinaryMessage, type TestTensor } from './tensors.js';

/** No driver is opened. */
export const NO_GPU: NativeGpuOptions = {
  allowed: false,
  visibleDevices: '',
  minComputeCapability: 7.5,
  pinnedPoolBytes: 0,
  monitorIntervalMs: 1000,
  probeIntervalMs: 0,
  probeBytes: 4096,
  watchdogMs: 0,
};

export function startEngine(options: Partial<NativeEngineOptions> = {}): void {
  const limits = { maxRequestBytes: 256 << 20, maxInFlightRequests: 0, maxInFlightBytes: 0 };
  addon.startEngine({ ortLibrary: findOrtLibrary(''), intraOpThreads: 1, ...limits, laneSpinUs: 0, cpus: 2, gpu: NO_GPU, ...options });
}

export function onCpu(modelPath: string): NativeSessionOptions {
  return { modelPath, intraOpThreads: 0, gpus: [], providerOptions: {}, graphs: false, buckets: false, runsAtOnce: 1 };
}

export function openFixture(name: string): Promise<NativeSession> {
  return addon.openSession(onCpu(join(fixtureModels, name, '1', 'model.onnx')));
}

/** Requests run alone and wait without bounds; all of it can be replaced. */
export function batchingOf(given: Partial<NativeBatching> = {}): NativeBatching {
  return {
    merge: 'never',
    preferredBatchSizes: [],
    maxQueueDelayUs: 0,
    preserveOrdering: false,
    priorityLevels: 0,
    defaultPriorityLevel: 0,
    defaultQueuePolicy: { delays: false, defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 0 },
    priorityQueuePolicies: [],
    latencyGoalMs: 0,
    maxQueueSize: 0,
    maxQueueBytes: 0,
    ...given,
  };
}

/** What the model file itself says, without batching, one lane, no queue limit; all of it can be replaced. */
export async function createFixture(name: string, spec: Partial<NativeVersionSpec> = {}): Promise<NativeVersion> {
  const session = await openFixture(name);
  const { inputs, outputs } = session.signature();
  const api = ({ name, dataType, dims }: NativeApiTensor): NativeApiInput => ({ name, dataType, dims, optional: false });
  const defaults = {
    modelName: name,
    version: 1,
    maxBatchSize: 0,
    lanes: 1,
    lanesIfFaster: false,
    batching: batchingOf(),
    paddedInputs: [],
    cutOutputs: [],
    conversions: [],
  };
  const { handle } = await addon.createVersion(session, { ...defaults, inputs: inputs.map(api), outputs: outputs.map(api), ...spec });
  session.close();
  return handle;
}

export function catalogModel(name: string, handle: NativeVersion | null, version = 1): NativeCatalogModel {
  const documents = { metadataJson: '{}', configJson: '{}' };
  return { name, defaultVersion: version, metadataJson: '{}', versions: [{ version, handle, reason: '', ...documents }] };
}

/** Starts the engine and serves fixture models as their files are. Returns the handles, in order. */
export async function serveFixtures(names: readonly string[], spec: Partial<NativeVersionSpec> = {}): Promise<NativeVersion[]> {
  startEngine();
  const versions: NativeVersion[] = [];
  for (const name of names) versions.push(await createFixture(name, spec));
  addon.publishCatalog(versions.map((version, index) => catalogModel(names[index] ?? '', version)));
  return versions;
}

/** With the parts of an answer in buffers, whatever form they came in. */
export type TestCompletion = Omit<NativeCompletion, 'head'> & { readonly head: Buffer | null };

function inBuffers(completion: NativeCompletion): TestCompletion {
  const { head, jsonBytes } = completion;
  if (typeof head !== 'string') return { ...completion, head };
  const bytes = Buffer.from(head, 'latin1');
  if (jsonBytes < 0) return { ...completion, head: bytes };
  return { ...completion, head: bytes.subarray(0, jsonBytes), tails: [bytes.subarray(jsonBytes)] };
}

/** A sink that hands each completion to whoever waits for its token. */
export class TestSink {
  readonly native: NativeSink;
  /** Calls from native code, and completions in them. */
  callbacks = 0;
  completions = 0;
  readonly #waiting = new Map<number, (completion: TestCompletion) => void>();
  #nextToken = 1;

  constructor() {
    this.native = addon.openSink((completions) => {
      this.callbacks++;
      this.completions += completions.length;
      for (const completion of completions) {
        this.#waiting.get(completion.token)?.(inBuffers(completion));
        this.#waiting.delete(completion.token);
      }
    });
  }

  /** The token, and the completion to come; a refusal becomes a completion, too. */
  submit(model: string, message: BinaryMessage | Buffer, timeoutMs = 0, version = ''): { token: number; done: Promise<TestCompletion> } {
    const { body, jsonBytes } = Buffer.isBuffer(message) ? { body: message, jsonBytes: -1 } : message;
    return this.#await((token) => this.native.submitHttp(token, model, version, [body], jsonBytes, timeoutMs));
  }

  submitGrpc(message: Buffer): { token: number; done: Promise<TestCompletion> } {
    return this.#await((token) => this.native.submitGrpc(token, message, 0));
  }

  infer(model: string, inputs: readonly TestTensor[]): Promise<TestCompletion> {
    return this.submit(model, binaryRequest(inputs)).done;
  }

  #await(submit: (token: number) => ReturnType<NativeSink['submitHttp']>): { token: number; done: Promise<TestCompletion> } {
    const token = this.#nextToken++;
    const done = new Promise<TestCompletion>((resolve) => this.#waiting.set(token, resolve));
    const refusal = submit(token);
    if (refusal === null) return { token, done };
    this.#waiting.delete(token);
    return { token, done: Promise.resolve({ token, ...refusal, head: null, jsonBytes: -1, tails: [], ranges: [] }) };
  }
}

/** A request for the fixture `slow`. An iteration takes about 0.1 ms, and the run can be stopped between two. */
export const slowMessage = (iterations: number): BinaryMessage => binaryRequest(slowInputs(BigInt(iterations)));

/** Longer than any test waits. */
export const ENDLESS = 100_000_000;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects garbage until `done`, with the finalisers that run between; false when it has not come after so many rounds. */
export async function collectUntil(done: () => boolean, rounds = 50): Promise<boolean> {
  for (let round = 0; round < rounds; round++) {
    // Looking at a WeakRef keeps its object for the rest of that turn, so collecting needs a turn of its own.
    await sleep(1);
    gc();
    await sleep(1);
    if (done()) return true;
  }
  return false;
}

/** Threads of this process that run models. */
export function laneThreads(): number {
  const name = (thread: string): string => {
    try {
      return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
    } catch {
      return '';
    }
  };
  return readdirSync('/proc/self/task').filter((thread) => name(thread) === 'penstock-lane').length;
}
