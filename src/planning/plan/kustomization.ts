/** The plan as a kustomization.yaml on k8s/: replicas, resources, and an autoscaler whose targets are the measured point of saturation. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readCatalog, type Component } from '../../manifests/catalog.js';
import { choose } from '../../manifests/choices.js';
import { kustomization, type Patch } from '../../manifests/kustomization.js';
import type { Hardware } from './prices.js';
import type { Plan } from './plan.js';

/** Beside dist/ in a checkout; an image has none. */
const OWN_K8S = fileURLToPath(new URL('../../../k8s', import.meta.url));
/** Where the autoscaler adds a pod by CPU: above what a pod needs at its target rate, or it would always add one. */
const CPU_PERCENT = { least: 80, most: 95, margin: 5 };
/** Records what the autoscalers read. */
const RECORDINGS = 'monitoring';

export interface KustomizationSettings {
  readonly autoscaler: 'none' | 'hpa' | 'keda';
  /** Empty = that of this checkout, from the folder `out`. */
  readonly k8s: string;
  readonly out: string;
  readonly hardware: Hardware;
  /** CPU milliseconds of a server for one request, spinning left out; null = not known. */
  readonly cpuMsPerRequest: number | null;
}

/** Undefined where the plan has no replicas: no setting meets the goal. */
export function planKustomization(plan: Plan, settings: KustomizationSettings): string | undefined {
  const { replicas, autoscaling, chosen } = plan;
  if (replicas === null || chosen === null) return undefined;
  const isOnGpu = settings.hardware.gpu !== null;
  const isScaled = settings.autoscaler !== 'none' && autoscaling !== null;
  const choices = choose(
    {
      gpu: isOnGpu ? 'gpu' : 'none',
      // Where the models come from is no matter of the plan.
      'model-source': 'none',
      'model-checksum': '',
      'model-as': '',
      replicas: isScaled ? '' : String(replicas.total),
      image: '',
      namespace: '',
      component: isScaled ? [RECORDINGS, settings.autoscaler] : [],
    },
    catalogOf(settings.k8s),
  );
  const patches = [...(isOnGpu ? [] : [coresPatch(settings.hardware.cpus)]), ...optionsPatches(plan)];
  if (isScaled) patches.push(settings.autoscaler === 'hpa' ? hpaPatch(plan, settings) : kedaPatch(plan, settings));
  return kustomization(choices, folderOf(settings), { patches, comment: commentOf(plan, settings) });
}

function folderOf({ k8s, out }: KustomizationSettings): string {
  if (k8s !== '') return k8s;
  return existsSync(OWN_K8S) ? relative(out, OWN_K8S) || '.' : 'k8s';
}

/** In an image, whose k8s/ is elsewhere, components have no words of their own. */
function catalogOf(k8s: string): readonly Component[] {
  if (k8s !== '' && existsSync(join(k8s, 'components'))) return readCatalog(k8s);
  if (existsSync(OWN_K8S)) return readCatalog(OWN_K8S);
  return ['gpu', 'monitoring', 'hpa', 'keda'].map((name) => ({ name, summary: '', needs: '', with: [], conflicts: [], isLast: false }));
}

function commentOf(plan: Plan, { k8s }: KustomizationSettings): string[] {
  const { replicas, autoscaling, load, goal, model, taken } = plan;
  const each = autoscaling === null ? '' : `, at most ${shown(autoscaling.targetRate)} for each replica`;
  return [
    `Made by penstock plan on ${taken.slice(0, 10)}, for ${model.name}: ${shown(load.rate)} requests per second${each}, p${goal.percentile} within ${shown(goal.latencyMs)} ms.`,
    `${replicas?.needed ?? 0} replicas carry the load, ${replicas?.spare ?? 0} more may fail. Measured anew for another model, machine or load: docs/planning.md.`,
    'Put config.pbtxt from beside this file into the folder of the model, and add where the models come from: one of the components',
    'model-download, model-pvc, model-oci, as `penstock manifests --model-source` writes them.',
    ...(k8s === '' && !existsSync(OWN_K8S)
      ? ['k8s/ is that of a checkout of Penstock: put it beside this file, or make the paths a URL.']
      : []),
    '',
  ];
}

/** As many cores as were measured with; requests equal limits, so that they are there. */
function coresPatch(cpus: number): Patch {
  const cpu = String(cpus);
  return deploymentPatch({ resources: { requests: { cpu }, limits: { cpu } } });
}

function optionsPatches({ chosen }: Plan): Patch[] {
  const threads = chosen?.settings.cpuThreads ?? 0;
  return threads > 0 ? [deploymentPatch({ env: [{ name: 'PENSTOCK_CPU_THREADS', value: String(threads) }] })] : [];
}

function deploymentPatch(container: object): Patch {
  const spec = { template: { spec: { containers: [{ name: 'penstock', ...container }] } } };
  return { patch: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'penstock' }, spec } };
}

interface Targets {
  readonly rate: string;
  /** Requests that wait: more than leave in the time of the goal cannot be answered in time. */
  readonly queue: string;
  readonly latencyMs: number;
  readonly cpuPercent: number;
}

function targetsOf(plan: Plan, { hardware, cpuMsPerRequest }: KustomizationSettings): Targets {
  const rate = plan.autoscaling?.targetRate ?? 0;
  const cpuPercent = cpuMsPerRequest === null ? 0 : (rate * cpuMsPerRequest) / 10 / hardware.cpus;
  return {
    rate: String(Math.max(1, Math.floor(rate))),
    queue: String(Math.max(1, Math.floor((rate * plan.goal.latencyMs) / 1000))),
    latencyMs: plan.goal.latencyMs,
    cpuPercent: Math.min(CPU_PERCENT.most, Math.max(CPU_PERCENT.least, Math.ceil(cpuPercent) + CPU_PERCENT.margin)),
  };
}

/** A `test` before each: a component whose list is in another order fails the build, and does not get a wrong target. */
const replaced = (at: string, name: readonly [path: string, value: string], target: readonly [path: string, value: unknown]): object[] => [
  { op: 'test', path: `${at}/${name[0]}`, value: name[1] },
  { op: 'replace', path: `${at}/${target[0]}`, value: target[1] },
];

function hpaPatch(plan: Plan, settings: KustomizationSettings): Patch {
  const targets = targetsOf(plan, settings);
  const pods = (index: number, metric: string, value: string): object[] =>
    replaced(`/spec/metrics/${index}/pods`, ['metric/name', metric], ['target/averageValue', value]);
  const patch = [
    ...bounds(plan, '/spec/minReplicas', '/spec/maxReplicas'),
    ...replaced('/spec/metrics/0/containerResource', ['name', 'cpu'], ['target/averageUtilization', targets.cpuPercent]),
    ...pods(2, 'inference_queue_depth', targets.queue),
    // In thousandths of a second, rounded up.
    ...pods(3, 'inference_latency_p95', `${Math.ceil(targets.latencyMs)}m`),
    ...pods(4, 'inference_requests_per_second', targets.rate),
  ];
  return { target: { kind: 'HorizontalPodAutoscaler', name: 'penstock' }, patch };
}

function kedaPatch(plan: Plan, settings: KustomizationSettings): Patch {
  const targets = targetsOf(plan, settings);
  const trigger = (index: number, name: string, value: string): object[] =>
    replaced(`/spec/triggers/${index}`, ['name', name], ['metadata/threshold', value]);
  const patch = [
    ...bounds(plan, '/spec/minReplicaCount', '/spec/maxReplicaCount'),
    { op: 'replace', path: '/spec/fallback/replicas', value: plan.autoscaling?.least },
    ...replaced('/spec/triggers/0', ['type', 'cpu'], ['metadata/value', String(targets.cpuPercent)]),
    ...trigger(2, 'queue-depth', targets.queue),
    ...trigger(3, 'latency-p95', String(Math.ceil(targets.latencyMs) / 1000)),
    ...trigger(4, 'requests-per-second', targets.rate),
  ];
  return { target: { kind: 'ScaledObject', name: 'penstock' }, patch };
}

function bounds({ autoscaling }: Plan, least: string, most: string): object[] {
  return [
    { op: 'replace', path: least, value: autoscaling?.least },
    { op: 'replace', path: most, value: autoscaling?.most },
  ];
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
