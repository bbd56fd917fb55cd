import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createRegistry } from '../../../src/telemetry/process-metrics.js';
import { sampledCounter, sampledGauge, sampledHistogram, type Sample } from '../../../src/telemetry/sampled-metrics.js';

it('writes a histogram with cumulative buckets, sum and count for each set of labels', async () => {
  const registry = new Registry();
  sampledHistogram(registry, { name: 'wait_seconds', help: 'Waiting.', labelNames: ['model'] }, [0.1, 1], () => [
    { labels: { model: 'a"b' }, buckets: [2, 3, 1], count: 6, sum: 4.5 },
    { labels: { model: 'c' }, buckets: [0, 0, 0], count: 0, sum: 0 },
  ]);
  expect(await registry.metrics()).toBe(
    [
      '# HELP wait_seconds Waiting.',
      '# TYPE wait_seconds histogram',
      'wait_seconds_bucket{le="0.1",model="a\\"b"} 2',
      'wait_seconds_bucket{le="1",model="a\\"b"} 5',
      'wait_seconds_bucket{le="+Inf",model="a\\"b"} 6',
      'wait_seconds_sum{model="a\\"b"} 4.5',
      'wait_seconds_count{model="a\\"b"} 6',
      'wait_seconds_bucket{le="0.1",model="c"} 0',
      'wait_seconds_bucket{le="1",model="c"} 0',
      'wait_seconds_bucket{le="+Inf",model="c"} 0',
      'wait_seconds_sum{model="c"} 0',
      'wait_seconds_count{model="c"} 0',
      '',
    ].join('\n'),
  );
});

it('reads anew at every scrape and forgets what is gone', async () => {
  const registry = new Registry();
  let samples: Sample[] = [
    { labels: { model: 'a' }, value: 0 },
    { labels: { model: 'b' }, value: 2 },
  ];
  sampledCounter(registry, { name: 'runs_total', help: 'Runs.', labelNames: ['model'] }, () => samples);
  sampledGauge(registry, { name: 'waiting', help: 'Waiting.', labelNames: ['model'] }, () => samples);
  expect(await registry.metrics()).toContain('runs_total{model="a"} 0\nruns_total{model="b"} 2');
  samples = [{ labels: { model: 'b' }, value: 5 }];
  const text = await registry.metrics();
  expect(text).toContain('runs_total{model="b"} 5');
  expect(text).toContain('waiting{model="b"} 5');
  expect(text).not.toContain('model="a"');
});

it('calls nothing a total that is not a counter', async () => {
  const text = await createRegistry({ version: '1.2.3', ortVersion: '1.29.0' }).metrics();
  const gauges = [...text.matchAll(/^# TYPE (\S+) gauge$/gm)].map(([, name]) => name ?? '');
  expect(gauges).toContain('process_resident_memory_bytes');
  expect(gauges.filter((name) => name.endsWith('_total'))).toEqual([]);
  expect(text).toContain('penstock_build_info{version="1.2.3",ort_version="1.29.0"} 1');
});
