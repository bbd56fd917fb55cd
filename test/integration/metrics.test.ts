import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FORMS, ProtocolClients, type Form } from '../support/protocols.js';
import { MetricsPage } from '../support/prometheus.js';
import { badModels, fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { fp32, int32, int64 } from '../support/tensors.js';

const ROWS = 2;
const REQUESTS: Readonly<Record<Form, number>> = { 'HTTP JSON': 3, 'HTTP binary': 4, 'gRPC raw': 5, 'gRPC contents': 6 };
const HTTP = REQUESTS['HTTP JSON'] + REQUESTS['HTTP binary'];
const GRPC = REQUESTS['gRPC raw'] + REQUESTS['gRPC contents'];
const labels = { model: 'add_sub', version: '1' };

let server: ServerProcess;
let clients: ProtocolClients;
let page: MetricsPage;

beforeAll(async () => {
  server = await ServerProcess.start({ repositories: [shippedModels, fixtureModels, badModels] });
  clients = new ProtocolClients(server);
  const values = Array<number>(ROWS * 16).fill(1);
  const inputs = [int32('INPUT0', [ROWS, 16], values), int32('INPUT1', [ROWS, 16], values)];
  for (const form of FORMS) {
    await Promise.all(Array.from({ length: REQUESTS[form] }, () => clients.infer(form, { model: 'add_sub', inputs })));
  }
  await clients.refusal('HTTP binary', { model: 'fails_at_run', inputs: [int64('INPUT0', [1, 1], [9n])] });
  await clients.refusal('gRPC raw', { model: 'add_sub', inputs: [fp32('INPUT0', [1, 16], [])] });
  page = await MetricsPage.of(server.managementUrl);
});

afterAll(async () => {
  await clients.close();
  await server.stop();
});

describe('the page of metrics', () => {
  it('has the families that dashboards for Triton know', () => {
    const families = [...page.types].filter(([family]) => family.startsWith('nv_'));
    expect(new Map(families)).toEqual(
      new Map([
        ...[
          'nv_inference_request_success',
          'nv_inference_request_failure',
          'nv_inference_count',
          'nv_inference_exec_count',
          'nv_inference_request_duration_us',
          'nv_inference_queue_duration_us',
          'nv_inference_compute_input_duration_us',
          'nv_inference_compute_infer_duration_us',
          'nv_inference_compute_output_duration_us',
        ].map((family): [string, string] => [family, 'counter']),
        ['nv_inference_pending_request_count', 'gauge'],
      ]),
    );
  });

  it('has families of its own, and those of the process', () => {
    expect(page.types.get('penstock_request_duration_seconds')).toBe('histogram');
    expect(page.types.get('penstock_queue_duration_seconds')).toBe('histogram');
    expect(page.types.get('penstock_compute_duration_seconds')).toBe('histogram');
    expect(page.types.get('penstock_tensor_bytes_received_total')).toBe('counter');
    expect(page.types.get('penstock_tensor_bytes_copied_total')).toBe('counter');
    expect(page.types.get('penstock_in_flight_requests')).toBe('gauge');
    expect(page.value('penstock_build_info', { ort_version: '1.29.0' })).toBe(1);
    expect(page.types.get('process_resident_memory_bytes')).toBe('gauge');
    expect(page.types.get('nodejs_eventloop_lag_p99_seconds')).toBe('gauge');
  });

  it('has a series for every version from the start', () => {
    expect(page.value('nv_inference_request_success', { model: 'digits', version: '1' })).toBe(0);
    expect(page.value('nv_inference_request_success', { model: 'digits', version: '2' })).toBe(0);
    const reasons = page.all('nv_inference_request_failure', { model: 'digits', version: '2' }).map((one) => one.labels['reason']);
    expect(reasons).toEqual(['REJECTED', 'CANCELED', 'BACKEND', 'OTHER']);
  });
});

describe('the state of models', () => {
  it('is told for every version, served or not', () => {
    const stateOf = (model: string, version: string): string[] =>
      page.all('penstock_model_state', { model, version, state: 'READY' }).map(({ value }) => (value === 1 ? 'ready' : 'not ready'));
    expect(stateOf('digits', '1')).toEqual(['ready']);
    expect(stateOf('digits', '2')).toEqual(['ready']);
    expect(stateOf('not_onnx', '1')).toEqual(['not ready']);
    const states = page.all('penstock_model_state', { model: 'not_onnx', version: '1' });
    expect(states.map(({ labels: own, value }) => [own['state'], value])).toEqual([
      ['UNKNOWN', 0],
      ['LOADING', 0],
      ['READY', 0],
      ['UNAVAILABLE', 1],
    ]);
  });

  it('comes with the code of the failure, for those that failed only', () => {
    const failed = page.all('penstock_model_load_failed').map(({ labels: { model, code } }) => [model, code]);
    expect(failed.sort()).toEqual([
      ['not_onnx', 'ERR_MODEL_LOAD'],
      ['truncated', 'ERR_MODEL_LOAD'],
    ]);
  });

  it('comes with the number of requests that may wait', () => {
    expect(page.value('penstock_queue_limit_requests', labels)).toBe(2048);
    expect(page.all('penstock_queue_limit_requests', { model: 'not_onnx' })).toEqual([]);
  });
});

it('the page says what the probes say', async () => {
  for (const [metric, path] of [
    ['penstock_live', '/health'],
    ['penstock_ready', '/ready'],
    ['penstock_started', '/startup'],
  ] as const) {
    const { status } = await fetch(`${server.managementUrl}${path}`);
    expect([metric, page.value(metric)]).toEqual([metric, status === 200 ? 1 : 0]);
  }
  expect(page.value('penstock_ready')).toBe(1);
});

describe('counters', () => {
  it('add up to the requests of every protocol', () => {
    expect(page.value('nv_inference_request_success', labels)).toBe(HTTP + GRPC);
    expect(page.value('nv_inference_count', labels)).toBe((HTTP + GRPC) * ROWS);
    const executions = page.value('nv_inference_exec_count', labels);
    expect(executions).toBeGreaterThan(0);
    expect(executions).toBeLessThanOrEqual(HTTP + GRPC);
    for (const phase of ['request', 'queue', 'compute']) {
      const count = `penstock_${phase}_duration_seconds_count`;
      expect([phase, page.value(count, { ...labels, protocol: 'http' })]).toEqual([phase, HTTP]);
      expect([phase, page.value(count, { ...labels, protocol: 'grpc' })]).toEqual([phase, GRPC]);
    }
  });

  it('count tensor bytes, and copy none of them more than once', () => {
    const received = (HTTP + GRPC) * ROWS * 2 * 16 * 4;
    expect(page.value('penstock_tensor_bytes_received_total', labels)).toBe(received);
    expect(page.value('penstock_tensor_bytes_copied_total', { ...labels, direction: 'input' })).toBeLessThanOrEqual(received);
  });

  it('count a failed run by its reason, and as nothing else', () => {
    const failed = { model: 'fails_at_run', version: '1' };
    expect(page.all('nv_inference_request_failure', failed).map(({ labels: { reason }, value }) => [reason, value])).toEqual([
      ['REJECTED', 0],
      ['CANCELED', 0],
      ['BACKEND', 1],
      ['OTHER', 0],
    ]);
    expect(page.value('nv_inference_request_success', failed)).toBe(0);
  });

  it('come back to rest when nothing is left to do', () => {
    expect(page.value('penstock_in_flight_requests')).toBe(0);
    expect(page.value('penstock_in_flight_bytes')).toBe(0);
    expect(page.value('nv_inference_pending_request_count', labels)).toBe(0);
  });
});

describe('histograms', () => {
  const names = ['penstock_request_duration_seconds', 'penstock_queue_duration_seconds', 'penstock_compute_duration_seconds'];

  it.each(names)('%s has cumulative buckets that end in its count', (name) => {
    const series = page.all(`${name}_count`);
    expect(series.length).toBeGreaterThan(0);
    for (const { labels: own, value: count } of series) {
      const buckets = page.all(`${name}_bucket`, own);
      const bounds = buckets.map(({ labels: { le } }) => (le === '+Inf' ? Infinity : Number(le)));
      expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
      expect(bounds.at(-1)).toBe(Infinity);
      const counts = buckets.map(({ value }) => value);
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      expect(counts.at(-1)).toBe(count);
      const sum = page.value(`${name}_sum`, own);
      if (count === 0) expect(sum).toBe(0);
      else expect(sum).toBeGreaterThan(0);
    }
  });

  it('agree with the cumulative microseconds of the same requests', () => {
    const sum = page.all('penstock_request_duration_seconds_sum', labels).reduce((total, { value }) => total + value, 0);
    expect(sum * 1e6).toBeCloseTo(page.value('nv_inference_request_duration_us', labels), -1);
  });
});

it('the statistics route tells the same numbers', async () => {
  interface Duration {
    readonly count: number;
    readonly ns: number;
  }
  const answer = await clients.http.get('/v2/models/add_sub/stats');
  const { model_stats } = JSON.parse(answer.body.toString('utf8')) as {
    model_stats: {
      last_inference: number;
      inference_count: number;
      execution_count: number;
      inference_stats: Record<string, Duration>;
      batch_stats: { batch_size: number; compute_infer: Duration }[];
    }[];
  };
  const [stats] = model_stats;
  expect(stats?.inference_count).toBe(page.value('nv_inference_count', labels));
  expect(stats?.execution_count).toBe(page.value('nv_inference_exec_count', labels));
  expect(Math.abs(Date.now() - (stats?.last_inference ?? 0))).toBeLessThan(60_000);
  const { success, fail, ...phases } = stats?.inference_stats ?? {};
  expect(success?.count).toBe(page.value('nv_inference_request_success', labels));
  expect(Math.floor((success?.ns ?? 0) / 1000)).toBe(page.value('nv_inference_request_duration_us', labels));
  expect(fail?.count).toBe(page.all('nv_inference_request_failure', labels).reduce((sum, { value }) => sum + value, 0));
  for (const phase of ['queue', 'compute_input', 'compute_infer', 'compute_output']) {
    expect(Math.floor((phases[phase]?.ns ?? NaN) / 1000)).toBe(page.value(`nv_inference_${phase}_duration_us`, labels));
  }
  const batches = stats?.batch_stats ?? [];
  expect(batches.reduce((sum, { batch_size, compute_infer }) => sum + batch_size * compute_infer.count, 0)).toBe(stats?.inference_count);
});
