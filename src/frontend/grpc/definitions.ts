/** The gRPC services, read from proto/ at start. */
import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';

/** Next to dist/ and to src/ alike. */
const PROTO_FOLDER = fileURLToPath(new URL('../../../proto', import.meta.url));

export const INFERENCE_SERVICE = 'inference.GRPCInferenceService';
export const HEALTH_SERVICE = 'grpc.health.v1.Health';

export interface GrpcDefinitions {
  readonly inference: ServiceDefinition;
  readonly health: ServiceDefinition;
  /** All of it, for server reflection. */
  readonly all: PackageDefinition;
}

/** [blocks] Reads and parses the files. */
export function loadDefinitions(): GrpcDefinitions {
  const all = loadSync(['grpc_service.proto', 'health.proto'], {
    includeDirs: [PROTO_FOLDER],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  return { inference: all[INFERENCE_SERVICE] as ServiceDefinition, health: all[HEALTH_SERVICE] as ServiceDefinition, all };
}
