import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import type { NativeHistogram, NativeLatencies, NativeStatistics } from '../../../src/bridge/addon.js';
import { registerEngineMetrics } from '../../../src/management/engine-metrics.js';

const histogram: NativeHistogram = { buckets: [1, 2, 0], count: 3, sumSeconds: 0.25 };
const allEqual = (of: NativeHistogram): NativeLatencies => ({ requestSeconds: of, queueSeconds: of, computeSeconds: of });
const batch = (batchSize: number, count: number): NativeStatistics['batches'][number] => {
  const duration = { count, ns: 1 };
  return { batchSize, computeInput: duration, computeInfer: duration, computeOutput: duration };
};
const statistics: NativeStatistics = {
  model: 'digits',
  version: 2,
  lastInferenceMs: 0,
  inferenceCount: 12,
  executionCount: 4,
  success: { count: 7, ns: 9_999_999 },
  fail: { count: 3, ns: 1 },
  queue: { count: 7, ns: 2_000 },
  computeInput: { count: 7, ns: 3_000 },
  computeInfer: { count: 7, ns: 4_000 },
  computeOutput: { count: 7, ns: 5_000 },
  failures: [1, 2, 0, 3],
  batches: [batch(1, 3), batch(3, 2), batch(64, 1), batch(4096, 5)],
  latencies: { http: allEqual(histogram), grpc: allEqual({ buckets: [0, 0, 0], count: 0, sumSeconds: 0 }) },
  bytesReceived: 1000,
  inputBytesCopied: 999,
  bytesHandedOut: 800,
  outputBytesCopied: 1600,
  droppedAtDispatch: 6,
  lanes: 2,
  laneBusyNs: 1_500_000_000,
  queueLength: 5,
  gpus: [],
  memory: [],
  batchLimit: 0,
};
const connections = [
  { port: 'http', thread: 0, connections: 7 },
  { port: 'http', thread: 1, connections: 6 },
  { port: 'grpc', thread: 1, connections: 1 },
] as const;
const gauges = {
  ...{ inFlightRequests: 1, inFlightBytes: 2, blockBytes: 3, blocks: 4, ranges: 5, rangeBytes: 6 },
  ...{ pinnedPoolBytes: 7, pinnedUsedBytes: 8, pinnedFallbackBlocks: 9, pinnedFallbackBytes: 10 },
};

it("writes Triton's names in microseconds and ours in seconds and bytes, all from one reading", async () => {
  const registry = new Registry();
  let readings = 0;
  registerEngineMetrics(registry, () => {
    readings++;
    return { statistics: [statistics], gauges, connections };
  }, [0.001, 0.01]);
  const lines = (await registry.metrics()).split('\n');
  expect(readings).toBe(1);
  const labels = 'model="digits",version="2"';
  for (const line of [
    `nv_inference_request_success{${labels}} 7`,
    `nv_inference_request_failure{${labels},reason="REJECTED"} 1`,
    `nv_inference_request_failure{${labels},reason="CANCELED"} 2`,
    `nv_inference_request_failure{${labels},reason="BACKEND"} 0`,
    `nv_inference_request_failure{${labels},reason="OTHER"} 3`,
    `nv_inference_count{${labels}} 12`,
    `nv_inference_exec_count{${labels}} 4`,
    `nv_inference_pending_request_count{${labels}} 5`,
    `nv_inference_request_duration_us{${labels}} 9999`,
    `nv_inference_queue_duration_us{${labels}} 2`,
    `nv_inference_compute_input_duration_us{${labels}} 3`,
    `nv_inference_compute_infer_duration_us{${labels}} 4`,
    `nv_inference_compute_output_duration_us{${labels}} 5`,
    `penstock_request_duration_seconds_bucket{le="0.01",${labels},protocol="http"} 3`,
    `penstock_request_duration_seconds_count{${labels},protocol="grpc"} 0`,
    `penstock_queue_duration_seconds_sum{${labels},protocol="http"} 0.25`,
    `penstock_compute_duration_seconds_bucket{le="+Inf",${labels},protocol="http"} 3`,
    `penstock_tensor_bytes_received_total{${labels}} 1000`,
    `penstock_tensor_bytes_copied_total{${labels},direction="input"} 999`,
    `penstock_tensor_bytes_copied_total{${labels},direction="output"} 1600`,
    `penstock_tensor_bytes_handed_out_total{${labels}} 800`,
    `penstock_requests_dropped_at_dispatch_total{${labels}} 6`,
    `penstock_lane_busy_seconds_total{${labels}} 1.5`,
    `penstock_lanes{${labels}} 2`,
    `penstock_batch_rows_bucket{le="1",${labels}} 3`,
    `penstock_batch_rows_bucket{le="2",${labels}} 3`,
    `penstock_batch_rows_bucket{le="4",${labels}} 5`,
    `penstock_batch_rows_bucket{le="64",${labels}} 6`,
    `penstock_batch_rows_bucket{le="1024",${labels}} 6`,
    `penstock_batch_rows_bucket{le="+Inf",${labels}} 11`,
    `penstock_batch_rows_sum{${labels}} ${3 + 6 + 64 + 5 * 4096}`,
    `penstock_batch_rows_count{${labels}} 11`,
    'penstock_in_flight_requests 1',
    'penstock_tensor_memory_bytes 3',
    'penstock_output_range_bytes 6',
    'penstock_connections{protocol="http",thread="0"} 7',
    'penstock_connections{protocol="http",thread="1"} 6',
    'penstock_connections{protocol="grpc",thread="1"} 1',
  ]) {
    expect(lines).toContain(line);
  }
});

it("gives Triton's series the GPU of a version that runs on one, and none to a version on several", async () => {
  const registry = new Registry();
  const on = (model: string, ...gpus: string[]): NativeStatistics => ({ ...statistics, model, gpus });
  registerEngineMetrics(registry, () => ({ statistics: [on('one', 'GPU-a'), on('two', 'GPU-a', 'GPU-b')], gauges, connections }), [1, 2]);
  const lines = (await registry.metrics()).split('\n');
  expect(lines).toContain('nv_inference_count{model="one",version="2",gpu_uuid="GPU-a"} 12');
  expect(lines).toContain('nv_inference_request_failure{model="one",version="2",gpu_uuid="GPU-a",reason="OTHER"} 3');
  expect(lines).toContain('nv_inference_count{model="two",version="2"} 12');
  expect(lines).toContain('penstock_lanes{model="one",version="2"} 2');
});

it('reads again at the next scrape', async () => {
  const registry = new Registry();
  let inFlightRequests = 0;
  registerEngineMetrics(
    registry,
    () => ({ statistics: [], connections: [], gauges: { ...gauges, inFlightRequests: ++inFlightRequests } }),
    [1],
  );
  await registry.metrics();
  await new Promise((resolve) => setImmediate(resolve));
  expect(await registry.metrics()).toContain('penstock_in_flight_requests 2');
});
