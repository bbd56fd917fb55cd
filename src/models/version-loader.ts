/** Takes one version from its file to running lanes. */
import { relative } from 'node:path';
import type { NativeCreatedVersion, NativeSession, NativeVersionSpec } from '../bridge/control.js';
import { callNative } from '../bridge/native-errors.js';
import { asServerError, ServerError } from '../errors.js';
import { completeConfig } from './auto-config.js';
import { planBatching, type QueueBounds } from './batching-plan.js';
import type { LoadedConfig } from './config-file.js';
import { configDocument } from './documents.js';
import type { LanePlan } from './instance-lanes.js';
import { modelFile, type FoundModel, type FoundVersion } from './repository.js';
import { checkSignature, type ApiSignature } from './signature-check.js';

/** The engine's side; the functions of bridge/control.ts. */
export interface VersionMaker {
  openSession(modelPath: string, intraOpThreads: number): Promise<NativeSession>;
  createVersion(session: NativeSession, spec: NativeVersionSpec): Promise<NativeCreatedVersion>;
}

export interface LoadOrder {
  readonly model: FoundModel;
  readonly version: FoundVersion;
  readonly configuration: LoadedConfig;
  readonly lanes: LanePlan;
  /** The server's. */
  readonly queue: QueueBounds;
}

/** The caller owns the handle. */
export interface LoadedVersion extends NativeCreatedVersion {
  readonly api: ApiSignature;
  readonly configJson: string;
}

/** Rejects with a `ServerError`, mostly ERR_MODEL_LOAD or ERR_MODEL_CONFIG, whose message holds no path of the server. */
export async function loadVersion(maker: VersionMaker, order: LoadOrder): Promise<LoadedVersion> {
  const { model, version, configuration, lanes, queue } = order;
  const { config, source } = configuration;
  const path = await modelFile(model, version, config.modelFilename);
  const session = await openSession(maker, path, model.root);
  try {
    const file = callNative(() => session.signature());
    const complete = completeConfig(config, file);
    const api = checkSignature(complete, file, source);
    const created = await maker.createVersion(session, {
      modelName: model.name,
      version: version.version,
      ...api,
      lanes: lanes.lanes,
      lanesIfFaster: lanes.lanesIfFaster,
      batching: planBatching(complete, config.latencyGoalMs, queue),
    });
    return { ...created, api, configJson: configDocument(model.name, config, complete, lanes, created) };
  } finally {
    session.close();
  }
}

async function openSession(maker: VersionMaker, path: string, root: string): Promise<NativeSession> {
  try {
    return await maker.openSession(path, 0);
  } catch (thrown) {
    const { code, message } = asServerError(thrown);
    throw new ServerError(code, message.replaceAll(path, relative(root, path)), { cause: thrown });
  }
}
