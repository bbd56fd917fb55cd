/** GRPCInferenceService put together: which calls are answered, and how the others are refused. */
import type { MethodDefinition, ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Inference } from '../../bridge/inference.js';
import { ServerError } from '../../errors.js';
import { errorReply } from '../error-reply.js';
import type { RequestLog } from '../request-log.js';
import { inferCall } from './infer.js';
import { metadataCalls } from './metadata-calls.js';
import { grpcStatus } from './status.js';
import { bytesDefinition, simpleCall } from './unary.js';

export interface InferenceService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** `definition`: the service as proto-loader reads it; every call of it is answered, if only by UNIMPLEMENTED. */
export function inferenceService(
  definition: ServiceDefinition,
  inference: Inference,
  serverVersion: string,
  log: RequestLog,
): InferenceService {
  const implementation: UntypedServiceImplementation = {
    ...metadataCalls(definition, serverVersion, log),
    ModelInfer: inferCall(inference, log),
  };
  const methods = Object.entries(definition) as [string, MethodDefinition<object, object>][];
  for (const [name, method] of methods) implementation[name] ??= notOffered(name, method, log);
  return { definition: Object.fromEntries(methods.map(([name, method]) => [name, bytesDefinition(method)])), implementation };
}

function notOffered(name: string, method: MethodDefinition<object, object>, log: RequestLog): UntypedServiceImplementation[string] {
  const error = new ServerError('ERR_NOT_SUPPORTED', `${name} is not offered by this server`);
  if (method.responseStream) {
    return (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.emit('error', grpcStatus(errorReply(error)));
    };
  }
  return simpleCall(method, log, () => {
    throw error;
  });
}
