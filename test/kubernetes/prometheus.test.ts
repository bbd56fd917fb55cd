/** The deployed rules and dashboards against a real Prometheus, which scrapes real servers: on a CPU under load, and on a GPU of the fake driver. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BusyModel, batchingModels, busyInputs } from '../support/busy-model.js';
import { buildFakeGpu, FakeGpuScript, startOnFakeGpu } from '../support/fake-gpu.js';
import { badModels, fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { dashboardsOf, panelsOf, promqlOf, type Dashboard } from './dashboards.js';
import { find, type Manifest } from './kustomize.js';
import { PrometheusProcess, type ActiveAlert, type Series, type Target } from './prometheus-process.js';
import { groupsOf, recordingsOf, withMonitoring, type RuleGroup } from './rules.js';

const QUEUE_LIMIT = 10;
const WAITING = 9;

const ADD_SUB = JSON.stringify({
  inputs: ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [1, 16], data: Array<number>(16).fill(1) })),
});
/** Fails while it runs, because no shape can hold it. */
const FAILING = JSON.stringify({ inputs: [{ name: 'INPUT0', datatype: 'INT64', shape: [1, 1], data: [9] }] });

/** Does well, but for heat, little memory and a reset that the driver wants. */
const GPU_SCRIPT = [
  'gpus 1',
  'gpu 0 memory 1GiB',
  'nvml 0 temperature 90 throttle 0x40 recovery-action 1 memory-used 1050000000 power-mw 250000 power-limit-mw 300000 energy-mj 1000 utilization 70',
];

let manifests: Manifest[];
let onCpu: ServerProcess;
let onGpu: ServerProcess;
let prometheus: PrometheusProcess;
let isOver = false;
/** What has begun and must end, in order. */
const ends: (() => unknown)[] = [];
const load: Promise<void>[] = [];

/** Everything that waits for minutes in a cluster waits for a second here. */
function shortened(groups: readonly RuleGroup[]): readonly RuleGroup[] {
  return groups.map((group) => ({
    ...group,
    interval: '1s',
    rules: group.rules.map((rule) => ('for' in rule ? { ...rule, for: '1s' } : rule)),
  }));
}

/** The labels that the operator gives to what the ServiceMonitor finds. */
function target(server: ServerProcess, pod: string): Target {
  const { jobLabel } = find(manifests, 'ServiceMonitor').spec as { jobLabel: string };
  const { metadata } = find(manifests, 'Service', 'penstock-headless');
  const job = metadata.labels?.[jobLabel] ?? metadata.name;
  const labels = { job, namespace: 'models', service: metadata.name, pod, container: 'penstock', endpoint: 'management' };
  return { address: new URL(server.managementUrl).host, labels };
}

async function keepAsking(server: ServerProcess, model: string, body: string, pauseMs: number): Promise<void> {
  while (!isOver) {
    const answer = await fetch(`${server.httpUrl}/v2/models/${model}/infer`, { method: 'POST', body });
    await answer.arrayBuffer();
    await sleep(pauseMs);
  }
}

/** The first answer that fits, within 20 s. */
async function until<T>(what: string, ask: () => Promise<T>, fits: (answer: T) => boolean): Promise<T> {
  for (const deadline = performance.now() + 20_000; ; await sleep(200)) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: still ${JSON.stringify(answer)}`);
  }
}

const untilValues = (expr: string): Promise<readonly Series[]> =>
  until(
    expr,
    () => prometheus.query(expr),
    (series) => series.length > 0,
  );

const untilFiring = (name: string, labels: Record<string, string>): Promise<ActiveAlert> =>
  until(
    `${name} ${JSON.stringify(labels)}`,
    async () => (await prometheus.alerts()).filter((one) => one.labels['alertname'] === name && one.state === 'firing'),
    (alerts) => alerts.some((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value)),
  ).then(([alert]) => alert as ActiveAlert);

beforeAll(async () => {
  buildFakeGpu();
  manifests = await withMonitoring();
  const script = new FakeGpuScript(GPU_SCRIPT);
  ends.push(() => script.remove());
  const queue = ['--max-queue-size', String(QUEUE_LIMIT)];
  [onCpu, onGpu] = await Promise.all([
    ServerProcess.start({ repositories: [shippedModels, fixtureModels, batchingModels, badModels], flags: queue }),
    startOnFakeGpu(script, { repositories: [shippedModels], flags: ['--metrics-interval-ms', '200'] }),
  ]);
  ends.push(() => Promise.all([onCpu.stop(), onGpu.stop()]));
  const busy = new BusyModel(onCpu);
  ends.push(await busy.occupy());
  const asked = Array.from({ length: WAITING }, () => busy.ask(busyInputs(4, [[1]])));
  ends.push(() => asked.forEach((one) => one.leave()));
  load.push(
    keepAsking(onCpu, 'add_sub', ADD_SUB, 5),
    keepAsking(onCpu, 'fails_at_run', FAILING, 50),
    keepAsking(onGpu, 'add_sub', ADD_SUB, 20),
  );
  prometheus = await PrometheusProcess.start([target(onCpu, 'on-cpu'), target(onGpu, 'on-gpu')], shortened(groupsOf(manifests)));
  ends.push(() => prometheus.stop());
}, 600_000);

afterAll(async () => {
  isOver = true;
  await Promise.all(load);
  for (const end of ends.reverse()) await end();
});

describe('the recording rules', () => {
  it('all give numbers', async () => {
    for (const { record } of recordingsOf(groupsOf(manifests))) {
      const series = await untilValues(record);
      expect([record, series.filter(({ value }) => !Number.isFinite(value))]).toEqual([record, []]);
      const scope = record.startsWith('service:') ? ['namespace', 'service'] : ['namespace', 'pod'];
      for (const { metric } of series) expect(Object.keys(metric).sort()).toEqual(['__name__', 'model', ...scope].sort());
    }
  });

  it('tell what happens', async () => {
    const value = async (name: string, model: string): Promise<number> => {
      const [series] = await prometheus.query(`${name}{pod="on-cpu",model="${model}"}`);
      return series?.value ?? NaN;
    };
    await untilValues('inference_requests_per_second{pod="on-cpu",model="add_sub"} > 5');
    await untilValues('inference_error_ratio{pod="on-cpu",model="fails_at_run"} == 1');
    await untilValues('inference_latency_p95{pod="on-cpu",model="add_sub"} > 0');
    await untilValues('inference_lane_busy_ratio{pod="on-cpu",model="add_sub"} > 0');
    expect(await value('inference_queue_depth', 'busy')).toBe(WAITING);
    expect(await value('inference_queue_fill_ratio', 'busy')).toBe(WAITING / QUEUE_LIMIT);
    expect(await value('inference_error_ratio', 'add_sub')).toBe(0);
    for (const name of ['inference_requests_per_second', 'inference_latency_p95', 'inference_error_ratio']) {
      expect([name, await value(name, 'digits')]).toEqual([name, 0]);
    }
  });
});

describe('an alert fires', () => {
  it('for a model that cannot be loaded, with the reason', async () => {
    const { annotations } = await untilFiring('PenstockModelLoadFailed', { pod: 'on-cpu', code: 'ERR_MODEL_LOAD' });
    expect(annotations['description']).toMatch(/^Version 1 of (not_onnx|truncated) in models\/on-cpu is refused with ERR_MODEL_LOAD\.$/);
    await untilFiring('PenstockModelUnavailable', { pod: 'on-cpu', model: 'not_onnx' });
  });

  it('for a model that fails, and for one whose queue is nearly full', async () => {
    await untilFiring('PenstockErrorRateHigh', { service: 'penstock-headless', model: 'fails_at_run' });
    await untilFiring('PenstockQueueSaturated', { pod: 'on-cpu', model: 'busy' });
  });

  it.each([
    ['PenstockGpuThrottled', {}],
    ['PenstockGpuDegraded', { cause: 'recovery-wanted' }],
    ['PenstockGpuMemoryHigh', {}],
  ])('for a GPU that is not well: %s', async (alert, labels) => {
    await untilFiring(alert, { ...labels, pod: 'on-gpu' });
  });

  it('for nothing else', async () => {
    const firing = (await prometheus.alerts()).map(({ labels: { alertname, model = '' } }) => `${alertname} ${model}`.trim());
    expect([...new Set(firing)].sort()).toEqual([
      'PenstockErrorRateHigh fails_at_run',
      'PenstockGpuDegraded',
      'PenstockGpuMemoryHigh',
      'PenstockGpuThrottled',
      'PenstockModelLoadFailed not_onnx',
      'PenstockModelLoadFailed truncated',
      'PenstockModelUnavailable not_onnx',
      'PenstockModelUnavailable truncated',
      'PenstockQueueSaturated busy',
    ]);
  });
});

it('Prometheus evaluates every rule without an error', async () => {
  const rules = await until(
    'every rule is evaluated',
    () => prometheus.rules(),
    (all) => all.every(({ health }) => health !== 'unknown'),
  );
  expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
});

describe('the dashboards', () => {
  const queriesOf = (dashboard: Dashboard): { title: string; expr: string }[] =>
    panelsOf(dashboard).flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr: promqlOf(expr, '10s') })));

  it.each(['penstock.json', 'penstock-gpu.json'])('%s shows something in every panel', async (file) => {
    const dashboard = dashboardsOf(manifests).get(file);
    if (dashboard === undefined) throw new Error(`there is no ${file}`);
    const queries = queriesOf(dashboard).filter(({ expr }) => !expr.includes('DCGM_'));
    expect(queries.length).toBeGreaterThan(10);
    for (const { title, expr } of queries) {
      const series = await until(
        `${title}: ${expr}`,
        () => prometheus.query(expr),
        (found) => found.length > 0,
      );
      expect([title, series.length > 0]).toEqual([title, true]);
    }
  });
});
