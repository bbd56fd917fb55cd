import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { registerHealth, registerModelStates, registerTls } from '../../../src/management/state-metrics.js';
import type { ModelStatus, VersionStatus } from '../../../src/models/model-states.js';

const ready: VersionStatus = { version: 2, state: 'READY', reason: '', code: '', queueLimit: 64 };
const model: ModelStatus = { name: 'm', versions: [ready], readyVersions: 1, reason: '', faultCode: '', lacksGpu: false, gpus: [] };

async function samplesOf(...models: ModelStatus[]): Promise<string[]> {
  const registry = new Registry();
  registerModelStates(registry, () => models);
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('a version', () => {
  it('is in one of the states', async () => {
    expect(await samplesOf(model)).toEqual([
      'penstock_model_state{model="m",version="2",state="UNKNOWN"} 0',
      'penstock_model_state{model="m",version="2",state="LOADING"} 0',
      'penstock_model_state{model="m",version="2",state="READY"} 1',
      'penstock_model_state{model="m",version="2",state="UNAVAILABLE"} 0',
      'penstock_queue_limit_requests{model="m",version="2"} 64',
    ]);
  });

  it('that failed has the code of its failure', async () => {
    const failed: VersionStatus = { version: 3, state: 'UNAVAILABLE', reason: 'broken', code: 'ERR_MODEL_LOAD', queueLimit: 0 };
    const lines = await samplesOf({ ...model, versions: [ready, failed] });
    expect(lines.filter((line) => line.endsWith(' 1'))).toEqual([
      'penstock_model_state{model="m",version="2",state="READY"} 1',
      'penstock_model_state{model="m",version="3",state="UNAVAILABLE"} 1',
      'penstock_model_load_failed{model="m",version="3",code="ERR_MODEL_LOAD"} 1',
    ]);
  });
});

it('a queue without a limit has no sample of one', async () => {
  expect((await samplesOf({ ...model, versions: [{ ...ready, queueLimit: 0 }] })).join()).not.toContain('penstock_queue_limit_requests');
});

it('a model that is refused before its versions are known has series of its own', async () => {
  const lines = await samplesOf({ ...model, versions: [], readyVersions: 0, reason: 'empty', faultCode: 'ERR_MODEL_LOAD' });
  expect(lines).toContain('penstock_model_state{model="m",version="",state="UNAVAILABLE"} 1');
  expect(lines).toContain('penstock_model_load_failed{model="m",version="",code="ERR_MODEL_LOAD"} 1');
});

it('the three answers of the probes are numbers', async () => {
  const registry = new Registry();
  const checks = { live: [], ready: [], started: [] };
  registerHealth(registry, () => ({ live: true, ready: false, started: true, exiting: false, checks }));
  const lines = (await registry.metrics()).split('\n');
  expect(lines).toEqual(expect.arrayContaining(['penstock_live 1', 'penstock_ready 0', 'penstock_started 1']));
});

it('the end of the certificate is in seconds, and that of the one in use', async () => {
  const registry = new Registry();
  const certificate = { expiresAtMs: 1_800_000_000_500 };
  registerTls(registry, certificate);
  const sample = async (): Promise<string | undefined> =>
    (await registry.metrics()).split('\n').find((line) => line.startsWith('penstock_tls_certificate_expiry_timestamp_seconds'));
  expect(await sample()).toBe('penstock_tls_certificate_expiry_timestamp_seconds 1800000000.5');
  certificate.expiresAtMs += 1000;
  expect(await sample()).toBe('penstock_tls_certificate_expiry_timestamp_seconds 1800000001.5');
});
