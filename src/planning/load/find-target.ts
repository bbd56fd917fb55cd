/** The server and model that are measured: what they say of themselves, and one request as a trial. */
import { findGrpcTarget } from './grpc-target.js';
import { findHttpTarget } from './http-target.js';
import type { LoadSettings } from './load-settings.js';
import type { LoadTarget } from './load-target.js';

/** Throws `OptionsError` when there is no such server or model, or it does not answer the request. `inJson`: tensors as JSON, over HTTP. */
export function findTarget(options: LoadSettings, inJson = false): Promise<LoadTarget> {
  return options.url.protocol === 'grpc:' ? findGrpcTarget(options) : findHttpTarget(options, inJson);
}
