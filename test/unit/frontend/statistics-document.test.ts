import { expect, it } from 'vitest';
import type { NativeStatistics } from '../../../src/bridge/addon.js';
import { statisticsDocument } from '../../../src/frontend/statistics-document.js';

const histogram = { buckets: [], count: 0, sumSeconds: 0 };
const latencies = { requestSeconds: histogram, queueSeconds: histogram, computeSeconds: histogram };
const duration = (count: number) => ({ count, ns: count * 1000 });
const counters: NativeStatistics = {
  model: 'm',
  version: 3,
  lastInferenceMs: 1_700_000_000_000,
  inferenceCount: 12,
  executionCount: 4,
  success: duration(5),
  fail: duration(1),
  queue: duration(6),
  computeInput: duration(7),
  computeInfer: duration(8),
  computeOutput: duration(9),
  failures: [1, 0, 0, 0],
  batches: [{ batchSize: 3, computeInput: duration(1), computeInfer: duration(2), computeOutput: duration(3) }],
  latencies: { http: latencies, grpc: latencies },
  bytesReceived: 0,
  inputBytesCopied: 0,
  bytesHandedOut: 0,
  outputBytesCopied: 0,
  droppedAtDispatch: 0,
  lanes: 0,
  laneBusyNs: 0,
  queueLength: 0,
  gpus: ['GPU-a'],
  memory: [
    { kind: 'CPU', gpuUuid: '', id: 0, bytes: 7 },
    { kind: 'GPU', gpuUuid: 'GPU-a', id: 1, bytes: 2 ** 33 },
  ],
  batchLimit: 0,
};

it('has the fields of the statistics extension, the version as text', () => {
  expect(statisticsDocument([counters])).toEqual({
    model_stats: [
      {
        name: 'm',
        version: '3',
        last_inference: 1_700_000_000_000,
        inference_count: 12,
        execution_count: 4,
        inference_stats: {
          success: duration(5),
          fail: duration(1),
          queue: duration(6),
          compute_input: duration(7),
          compute_infer: duration(8),
          compute_output: duration(9),
          cache_hit: duration(0),
          cache_miss: duration(0),
        },
        response_stats: {},
        batch_stats: [{ batch_size: 3, compute_input: duration(1), compute_infer: duration(2), compute_output: duration(3) }],
        memory_usage: [
          { type: 'CPU', id: 0, byte_size: 7 },
          { type: 'GPU', id: 1, byte_size: 2 ** 33 },
        ],
      },
    ],
  });
});
