/** Takes one version from its file to running lanes. */
import { relative } from 'node:path';
import type { NativeCreatedVersion, NativeSession, NativeSessionOptions, NativeVersionSpec } from '../bridge/control.js';
import { callNative } from '../bridge/native-errors.js';
import { asServerError, ServerError } from '../errors.js';
import { completeConfig } from './auto-config.js';
import { planBatching, queueLimit, type QueueBounds } from './batching-plan.js';
import type { LoadedConfig } from './config-file.js';
import { configDocument } from './documents.js';
import { planConversions } from './input-conversion.js';
import type { LanePlan } from './instance-lanes.js';
import { planPadding } from './pad-to-longest.js';
import { modelFile, type FoundModel, type FoundVersion } from './repository.js';
import { checkSignature, type ApiSignature } from './signature-check.js';

/** The engine's side; the functions of bridge/control.ts. */
export interface VersionMaker {
  openSession(options: NativeSessionOptions): Promise<NativeSession>;
  createVersion(session: NativeSession, spec: NativeVersionSpec): Promise<NativeCreatedVersion>;
}

export interface LoadOrder {
  readonly model: FoundModel;
  readonly version: FoundVersion;
  readonly configuration: LoadedConfig;
  readonly lanes: LanePlan;
  /** Instead, where GPUs are there but ONNX Runtime cannot use them and the configuration does not insist; undefined = it does. */
  readonly lanesOnCpu: LanePlan | undefined;
  /** The server's. */
  readonly queue: QueueBounds;
}

/** The caller owns the handle. */
export interface LoadedVersion extends NativeCreatedVersion {
  readonly api: ApiSignature;
  readonly configJson: string;
  /** What it runs on. */
  readonly plan: LanePlan;
  /** Requests that may wait for it; 0 = unbounded. */
  readonly queueLimit: number;
  /** Why that is not what was planned; empty = it is. */
  readonly warning: string;
}

/** The copies of other lanes overlap with the one that runs. Concurrent runs of one CUDA session were seen slower than serial ones. */
const RUNS_AT_ONCE = 1;

const GRAPHS_ON_CPU = 'optimization.cuda.graphs does nothing here: the model runs on the CPU';

/** Rejects with a `ServerError`, mostly ERR_MODEL_LOAD or ERR_MODEL_CONFIG, whose message holds no path of the server. */
export async function loadVersion(maker: VersionMaker, order: LoadOrder): Promise<LoadedVersion> {
  const { lanes, lanesOnCpu } = order;
  try {
    return await loadWith(maker, order, lanes, '');
  } catch (thrown) {
    const { code, message } = asServerError(thrown);
    if (code !== 'ERR_CUDA_PROVIDER' || lanesOnCpu === undefined) throw thrown;
    return loadWith(maker, order, lanesOnCpu, `it runs on the CPU, although there are GPUs: ${message}`);
  }
}

async function loadWith(maker: VersionMaker, order: LoadOrder, plan: LanePlan, warning: string): Promise<LoadedVersion> {
  const { model, version, configuration, queue } = order;
  const { config, source } = configuration;
  const path = await modelFile(model, version, config.modelFilename);
  const onGpus = plan.gpus.length > 0;
  const session = await openSession(maker, model.root, {
    modelPath: path,
    intraOpThreads: 0,
    gpus: plan.gpus,
    providerOptions: onGpus ? config.cudaOptions : {},
    graphs: onGpus && config.cudaGraphs,
    buckets: onGpus,
    runsAtOnce: RUNS_AT_ONCE,
  });
  try {
    const file = callNative(() => session.signature());
    const complete = completeConfig(config, file);
    const api = checkSignature(complete, file, source);
    const batching = planBatching(complete, config.latencyGoalMs, queue);
    const created = await maker.createVersion(session, {
      modelName: model.name,
      version: version.version,
      ...api,
      lanes: plan.lanes,
      lanesIfFaster: plan.lanesIfFaster,
      batching,
      ...planPadding(complete, file),
      conversions: planConversions(complete.conversions, complete.inputs),
    });
    const configJson = configDocument(model.name, config, complete, plan, created);
    const notes = onGpus || !config.cudaGraphs ? created.notes : [...created.notes, GRAPHS_ON_CPU];
    return { ...created, notes, api, configJson, plan, queueLimit: queueLimit(batching), warning };
  } finally {
    session.close();
  }
}

async function openSession(maker: VersionMaker, root: string, options: NativeSessionOptions): Promise<NativeSession> {
  const { modelPath } = options;
  try {
    return await maker.openSession(options);
  } catch (thrown) {
    const { code, message } = asServerError(thrown);
    throw new ServerError(code, message.replaceAll(modelPath, relative(root, modelPath)), { cause: thrown });
  }
}
