/** What the engine has counted, under Triton's names (`nv_*`, microseconds) and under our own (`penstock_*`, base units). */
import type { Registry } from 'prom-client';
import type {
  EngineReadings,
  NativeDuration,
  NativeGauges,
  NativeHistogram,
  NativeLatencies,
  NativeStatistics,
} from '../bridge/engine-readings.js';
import {
  oncePerScrape,
  sampledCounter,
  sampledGauge,
  sampledHistogram,
  type HistogramSample,
  type Labels,
  type Sample,
} from '../telemetry/sampled-metrics.js';

type ReadStatistic = (statistics: NativeStatistics) => number;

/** Triton's label values, in the order of `NativeStatistics.failures`. */
const FAILURE_REASONS = ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER'] as const;

const MODEL_LABELS = ['model', 'version'] as const;

/** As Triton has them: the last one only on series of a version that runs on a GPU. Our series have one line for each version, so on several GPUs it is left out. */
const TRITON_LABELS = [...MODEL_LABELS, 'gpu_uuid'] as const;

const TRITON_COUNTERS: readonly (readonly [name: string, help: string, read: ReadStatistic])[] = [
  ['nv_inference_request_success', 'Requests that were answered with outputs', (of) => of.success.count],
  ['nv_inference_count', 'Inferences: the sum of the batch sizes of all requests', (of) => of.inferenceCount],
  ['nv_inference_exec_count', 'Runs of the model, each with one batch', (of) => of.executionCount],
  ['nv_inference_request_duration_us', 'Microseconds from acceptance to answer, of all requests together', (of) => micros(of.success)],
  ['nv_inference_queue_duration_us', 'Microseconds spent waiting for a run, of all requests together', (of) => micros(of.queue)],
  [
    'nv_inference_compute_input_duration_us',
    'Microseconds spent gathering inputs, of all requests together',
    (of) => micros(of.computeInput),
  ],
  [
    'nv_inference_compute_infer_duration_us',
    'Microseconds spent running the model, of all requests together',
    (of) => micros(of.computeInfer),
  ],
  [
    'nv_inference_compute_output_duration_us',
    'Microseconds spent handing out outputs, of all requests together',
    (of) => micros(of.computeOutput),
  ],
];

const COUNTERS: readonly (readonly [name: string, help: string, read: ReadStatistic])[] = [
  ['penstock_tensor_bytes_received_total', 'Bytes of input tensors that came in', (of) => of.bytesReceived],
  ['penstock_tensor_bytes_handed_out_total', 'Bytes of output tensors that were answered with', (of) => of.bytesHandedOut],
  [
    'penstock_requests_dropped_at_dispatch_total',
    'Accepted requests that were dropped when their turn came, because it had become too late for them',
    (of) => of.droppedAtDispatch,
  ],
  ['penstock_lane_busy_seconds_total', 'Time that threads were busy running the model, of all together', (of) => of.laneBusyNs / 1e9],
];

/** Powers of two; larger batches are rare. */
const BATCH_ROWS_BOUNDS = Array.from({ length: 11 }, (_, power) => 2 ** power);

const HISTOGRAMS: readonly (readonly [name: string, help: string, read: (of: NativeLatencies) => NativeHistogram])[] = [
  ['penstock_request_duration_seconds', 'Time from the acceptance of a request to its outcome', (of) => of.requestSeconds],
  ['penstock_queue_duration_seconds', 'Time that a request waited for its run', (of) => of.queueSeconds],
  ['penstock_compute_duration_seconds', 'Time that a request spent in the model', (of) => of.computeSeconds],
];

const PROTOCOLS = ['http', 'grpc'] as const;

const GAUGES: readonly (readonly [name: string, help: string, read: (gauges: NativeGauges) => number])[] = [
  ['penstock_in_flight_requests', 'Accepted requests that have no answer yet', (of) => of.inFlightRequests],
  ['penstock_in_flight_bytes', 'Bytes of their inputs, and of large answers until they have been sent', (of) => of.inFlightBytes],
  ['penstock_tensor_memory_bytes', 'Memory of tensors that are alive', (of) => of.blockBytes],
  ['penstock_tensor_blocks', 'Blocks that this memory is made of', (of) => of.blocks],
  ['penstock_output_ranges', 'Outputs that are being sent', (of) => of.ranges],
  ['penstock_output_range_bytes', 'Bytes of those outputs', (of) => of.rangeBytes],
];

/**
 * Registers every metric of the engine. `read` is called once a scrape, by whichever metric is asked first, so that one page of metrics
 * comes from one moment. `boundsSeconds` are those of the engine's histograms.
 */
export function registerEngineMetrics(registry: Registry, read: () => EngineReadings, boundsSeconds: readonly number[]): void {
  const readings = oncePerScrape(read);
  const eachVersion =
    (value: ReadStatistic, more: Labels = {}) =>
    (): Sample[] =>
      readings().statistics.map((statistics) => ({ labels: { ...labelsOf(statistics), ...more }, value: value(statistics) }));
  const likeTriton =
    (value: ReadStatistic, more: Labels = {}) =>
    (): Sample[] =>
      readings().statistics.map((of) => ({ labels: { ...labelsOf(of), ...gpuLabelOf(of), ...more }, value: value(of) }));

  for (const [name, help, value] of TRITON_COUNTERS) sampledCounter(registry, { name, help, labelNames: TRITON_LABELS }, likeTriton(value));
  sampledCounter(
    registry,
    { name: 'nv_inference_request_failure', help: 'Requests that failed, by reason', labelNames: [...TRITON_LABELS, 'reason'] },
    () => FAILURE_REASONS.flatMap((reason, index) => likeTriton((of) => of.failures[index] ?? 0, { reason })()),
  );
  sampledGauge(
    registry,
    { name: 'nv_inference_pending_request_count', help: 'Requests that wait and do not run yet', labelNames: TRITON_LABELS },
    likeTriton((of) => of.queueLength),
  );

  for (const [name, help, histogram] of HISTOGRAMS) {
    sampledHistogram(registry, { name, help, labelNames: [...MODEL_LABELS, 'protocol'] }, boundsSeconds, () =>
      readings().statistics.flatMap((of) =>
        PROTOCOLS.map((protocol) => histogramSample({ ...labelsOf(of), protocol }, histogram(of.latencies[protocol]))),
      ),
    );
  }

  for (const [name, help, value] of COUNTERS) sampledCounter(registry, { name, help, labelNames: MODEL_LABELS }, eachVersion(value));
  sampledCounter(
    registry,
    {
      name: 'penstock_tensor_bytes_copied_total',
      help: 'Bytes of tensors that were copied, counted once for each copy',
      labelNames: [...MODEL_LABELS, 'direction'],
    },
    () => [
      ...eachVersion((of) => of.inputBytesCopied, { direction: 'input' })(),
      ...eachVersion((of) => of.outputBytesCopied, { direction: 'output' })(),
    ],
  );
  sampledHistogram(registry, { name: 'penstock_batch_rows', help: 'Rows of a run', labelNames: MODEL_LABELS }, BATCH_ROWS_BOUNDS, () =>
    readings().statistics.map((of) => batchRowsSample(labelsOf(of), of.batches)),
  );
  sampledGauge(
    registry,
    { name: 'penstock_lanes', help: 'Threads that run the model', labelNames: MODEL_LABELS },
    eachVersion((of) => of.lanes),
  );
  sampledGauge(
    registry,
    {
      name: 'penstock_connections',
      help: 'Open connections of clients that a thread of the front end serves, native or JavaScript',
      labelNames: ['protocol', 'thread'],
    },
    () =>
      readings().connections.map(({ port, thread, connections }) => ({
        labels: { protocol: port, thread: String(thread) },
        value: connections,
      })),
  );
  for (const [name, help, value] of GAUGES) {
    sampledGauge(registry, { name, help, labelNames: [] }, () => [{ labels: {}, value: value(readings().gauges) }]);
  }
}

function labelsOf({ model, version }: NativeStatistics): Labels {
  return { model, version: String(version) };
}

function gpuLabelOf({ gpus }: NativeStatistics): Labels {
  return gpus.length === 1 && gpus[0] !== undefined ? { gpu_uuid: gpus[0] } : {};
}

function micros({ ns }: NativeDuration): number {
  return Math.floor(ns / 1000);
}

function histogramSample(labels: Labels, { buckets, count, sumSeconds }: NativeHistogram): HistogramSample {
  return { labels, buckets, count, sum: sumSeconds };
}

function batchRowsSample(labels: Labels, batches: NativeStatistics['batches']): HistogramSample {
  const buckets = new Array<number>(BATCH_ROWS_BOUNDS.length + 1).fill(0);
  let count = 0;
  let sum = 0;
  for (const { batchSize, computeInfer } of batches) {
    const bucket = BATCH_ROWS_BOUNDS.filter((bound) => bound < batchSize).length;
    buckets[bucket] = (buckets[bucket] ?? 0) + computeInfer.count;
    count += computeInfer.count;
    sum += batchSize * computeInfer.count;
  }
  return { labels, buckets, count, sum };
}
