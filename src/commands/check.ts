/** `penstock check`: loads what `serve` would load, says for each model what would be served and why not, and leaves. */
import { gpus } from '../bridge/control.js';
import { nativeGrpcFault, nativeTlsFault } from '../bridge/front-end.js';
import { loadOptions } from '../config/load.js';
import { EXIT_OK, EXIT_REFUSED } from '../lifecycle/exit-codes.js';
import { planFrontEnd } from '../lifecycle/front-end-plan.js';
import { GuardedEngine } from '../lifecycle/guarded-engine.js';
import { TlsFiles } from '../lifecycle/tls-files.js';
import type { ModelStatus } from '../models/model-states.js';
import { createModelStore } from '../server.js';
import { createLogger } from '../telemetry/log.js';

/**
 * Writes one line for each version to `write`, and one for a certificate that is given. Resolves with the exit code: 73 when a model or
 * version could not be served, or clients would refuse the certificate. Throws `OptionsError`, also where `serve` would for the front end and
 * the files of TLS. `grpcFault` is for tests.
 */
export async function check(args: readonly string[], write: (line: string) => void, grpcFault = nativeGrpcFault): Promise<number> {
  const { options, warnings } = loadOptions(args);
  // Progress is of no interest here; warnings about configurations are.
  const log = createLogger({ level: options.logLevel === 'info' ? 'warn' : options.logLevel, name: 'check' });
  for (const warning of warnings) log.warn(warning);
  planFrontEnd(options, { grpc: grpcFault, tls: nativeTlsFault });
  const tls = await TlsFiles.open(options, log);
  if (tls !== undefined) write(tls.fault ?? `--tls-cert: "${options.tlsCert}" is valid until ${new Date(tls.expiresAtMs).toISOString()}`);
  const engine = new GuardedEngine(options);
  const models = createModelStore({ options, log, gpus, onChange: () => {} });
  await models.loadAll();
  for (const model of models.models()) for (const line of linesOf(model)) write(line);
  const failed = models.failedModels();
  const total = models.models().length;
  write(`${total - failed.length} of ${total} models in ${options.modelRepository.join(', ')} are without fault`);
  models.close();
  engine.stop();
  return failed.length === 0 && tls?.fault === undefined ? EXIT_OK : EXIT_REFUSED;
}

function linesOf({ name, versions, reason }: ModelStatus): string[] {
  if (versions.length === 0) return [`${name}  not served: ${reason}`];
  return versions.map(
    (version) => `${name}  version ${version.version}  ${version.state === 'READY' ? 'served' : `not served: ${version.reason || reason}`}`,
  );
}
