/** The calls that only tell: health, server and model documents, statistics. */
import type { handleUnaryCall, MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { modelConfig, modelMetadata, modelStatistics } from '../../bridge/catalog.js';
import { currentHealth } from '../../bridge/health-snapshot.js';
import { ServerError } from '../../errors.js';
import type { RequestLog } from '../request-log.js';
import { serverMetadata } from '../server-metadata.js';
import { statisticsDocument } from '../statistics-document.js';
import { simpleCall } from './unary.js';

type Message = Readonly<Record<string, unknown>>;

/** proto-loader fills in defaults, so both are always there; empty = the default version. */
interface ModelQuestion {
  readonly name: string;
  readonly version: string;
}

/** By the name of the call. */
export function metadataCalls(
  service: ServiceDefinition,
  serverVersion: string,
  log: RequestLog,
): Readonly<Record<string, handleUnaryCall<Buffer, Buffer>>> {
  const answers: Readonly<Record<string, (request: Message) => object>> = {
    ServerLive: () => ({ live: currentHealth().live }),
    ServerReady: serverReady,
    ServerMetadata: () => serverMetadata(serverVersion),
    ModelReady: (request) => ({ ready: isModelReady(question(request)) }),
    // The documents carry the proto's field names, so they are messages as they are.
    ModelMetadata: (request) => JSON.parse(modelMetadata(...nameAndVersion(request))) as object,
    ModelConfig: (request) => ({ config: JSON.parse(modelConfig(...nameAndVersion(request))) as object }),
    ModelStatistics: (request) => statisticsDocument(modelStatistics(...nameAndVersion(request))),
  };
  return Object.fromEntries(
    Object.entries(answers).map(([name, answer]) => [name, simpleCall(service[name] as MethodDefinition<object, object>, log, answer)]),
  );
}

/** Clients of an exiting server must go elsewhere, not wait for it to get ready. */
function serverReady(): object {
  const { ready, exiting } = currentHealth();
  if (exiting) throw new ServerError('ERR_SERVER_EXITING', 'the server is shutting down');
  return { ready };
}

/** Throws ERR_MODEL_UNKNOWN. */
function isModelReady({ name, version }: ModelQuestion): boolean {
  try {
    modelMetadata(name, version);
    return true;
  } catch (thrown) {
    if (thrown instanceof ServerError && thrown.code === 'ERR_MODEL_NOT_READY') return false;
    throw thrown;
  }
}

function question(request: Message): ModelQuestion {
  return { name: String(request['name']), version: String(request['version']) };
}

function nameAndVersion(request: Message): [string, string] {
  const { name, version } = question(request);
  return [name, version];
}
