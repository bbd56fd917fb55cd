/** Whether the server answers its probes well, how far each version of each model is, and how long the certificate lasts. */
import type { Registry } from 'prom-client';
import type { HealthSnapshot } from '../bridge/health-snapshot.js';
import type { ModelStatus, VersionState, VersionStatus } from '../models/model-states.js';
import { oncePerScrape, sampledGauge, type Labels } from '../telemetry/sampled-metrics.js';

const ANSWERS: readonly (readonly [name: string, help: string, read: (of: HealthSnapshot) => boolean])[] = [
  ['penstock_live', 'Whether /health answers 200: the process makes progress', (of) => of.live],
  ['penstock_ready', 'Whether /ready answers 200', (of) => of.ready],
  ['penstock_started', 'Whether /startup answers 200: models are loaded or have failed', (of) => of.started],
];

const STATES: readonly VersionState[] = ['UNKNOWN', 'LOADING', 'READY', 'UNAVAILABLE'];

const MODEL_LABELS = ['model', 'version'] as const;

interface VersionRow extends Pick<VersionStatus, 'state' | 'code' | 'queueLimit'> {
  readonly labels: Labels;
}

/** `read` is called once a scrape. */
export function registerHealth(registry: Registry, read: () => HealthSnapshot): void {
  const health = oncePerScrape(read);
  for (const [name, help, value] of ANSWERS) {
    sampledGauge(registry, { name, help, labelNames: [] }, () => [{ labels: {}, value: Number(value(health())) }]);
  }
}

/** Unlike the engine's metrics these have series for versions that are not served. `read` is called once a scrape. */
export function registerModelStates(registry: Registry, read: () => readonly ModelStatus[]): void {
  const rows = oncePerScrape((): VersionRow[] => read().flatMap(rowsOf));
  sampledGauge(
    registry,
    {
      name: 'penstock_model_state',
      help: '1 for the state that a version is in, 0 for the others',
      labelNames: [...MODEL_LABELS, 'state'],
    },
    () => rows().flatMap(({ labels, state }) => STATES.map((one) => ({ labels: { ...labels, state: one }, value: Number(one === state) }))),
  );
  sampledGauge(
    registry,
    { name: 'penstock_model_load_failed', help: 'Why a version is UNAVAILABLE, as an error code', labelNames: [...MODEL_LABELS, 'code'] },
    () => rows().flatMap(({ labels, code }) => (code === '' ? [] : [{ labels: { ...labels, code }, value: 1 }])),
  );
  sampledGauge(
    registry,
    { name: 'penstock_queue_limit_requests', help: 'Requests that may wait; no sample = no limit', labelNames: MODEL_LABELS },
    () => rows().flatMap(({ labels, queueLimit }) => (queueLimit === 0 ? [] : [{ labels, value: queueLimit }])),
  );
}

export function registerTls(registry: Registry, certificate: { readonly expiresAtMs: number }): void {
  sampledGauge(
    registry,
    {
      name: 'penstock_tls_certificate_expiry_timestamp_seconds',
      help: 'When the certificate of the serving ports ends, in seconds since 1970',
      labelNames: [],
    },
    () => [{ labels: {}, value: certificate.expiresAtMs / 1000 }],
  );
}

/** A model that is refused before its versions are known has one row, with an empty version. */
function rowsOf({ name, versions, faultCode }: ModelStatus): VersionRow[] {
  if (versions.length > 0)
    return versions.map(({ version, state, code, queueLimit }) => {
      return { labels: { model: name, version: String(version) }, state, code, queueLimit };
    });
  return faultCode === '' ? [] : [{ labels: { model: name, version: '' }, state: 'UNAVAILABLE', code: faultCode, queueLimit: 0 }];
}
