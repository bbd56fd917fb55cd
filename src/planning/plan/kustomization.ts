/** The plan as a kustomization.yaml on k8s/: replicas, resources, and an autoscaler whose targets are the measured point of saturation. */
import { existsSync } from 'node:fs';
import { readCatalog, type Component } from '../../manifests/catalog.js';
import { choose, MOST_REPLICAS } from '../../manifests/choices.js';
import { isRemote, k8sFrom, OWN_K8S } from '../../manifests/k8s-folder.js';
import { kustomization, type Patch } from '../../manifests/kustomization.js';
import { autoscalerTargets, type AutoscalerTargets } from './autoscaler-targets.js';
import type { Hardware } from './prices.js';
import type { Plan } from './plan.js';

/** Where the autoscaler adds a pod by CPU: above what a pod needs at its target rate, or it would always add one. */
const CPU_PERCENT = { least: 80, most: 95, margin: 5 };
/** Of a pod with a GPU: lanes that spin and the front end must not wait for each other. */
const LEAST_CORES = 2;
const GPU = 'nvidia.com/gpu';
/** Targets below it would lose too much as whole numbers. */
const LEAST_WHOLE = 10;
/** Records what the autoscalers read. */
const RECORDINGS = 'monitoring';

export interface KustomizationSettings {
  readonly autoscaler: 'none' | 'hpa' | 'keda';
  /** As --k8s has it; empty = that of this checkout. */
  readonly k8s: string;
  /** Where the file goes. */
  readonly out: string;
  readonly hardware: Hardware;
  /** Models that share the GPU of a replica; 1 = it has it for itself. */
  readonly sharedBy: number;
  /** CPU milliseconds of a server for one request, spinning left out; null = not known. */
  readonly cpuMsPerRequest: number | null;
}

/** Undefined where the plan has no replicas, or more than a Deployment of ours may have. */
export function planKustomization(plan: Plan, settings: KustomizationSettings): string | undefined {
  const { replicas, autoscaling, chosen } = plan;
  if (replicas === null || chosen === null || replicas.total > MOST_REPLICAS) return undefined;
  const isOnGpu = settings.hardware.gpu !== null;
  const isScaled = settings.autoscaler !== 'none' && autoscaling !== null;
  const choices = choose(
    {
      gpu: !isOnGpu ? 'none' : settings.sharedBy > 1 ? 'gpu-sharing' : 'gpu',
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
  const patches = [...resourcePatches(chosen.rate.value, settings), ...optionsPatches(plan)];
  if (isScaled) patches.push(settings.autoscaler === 'hpa' ? hpaPatch(plan, settings) : kedaPatch(plan, settings));
  return kustomization(choices, folderOf(settings), { patches, comment: commentOf(plan, settings) });
}

/** In an image there is no k8s/. */
function folderOf({ k8s, out }: KustomizationSettings): string {
  return k8s === '' && !existsSync(OWN_K8S) ? 'k8s' : k8sFrom(k8s, out);
}

/** In an image, whose k8s/ is elsewhere, components have no words of their own. */
function catalogOf(k8s: string): readonly Component[] {
  if (k8s !== '' && !isRemote(k8s)) return readCatalog(k8s);
  if (existsSync(OWN_K8S)) return readCatalog(OWN_K8S);
  return ['gpu', 'gpu-sharing', 'monitoring', 'hpa', 'keda'].map((name) => ({
    name,
    summary: '',
    needs: '',
    with: [],
    conflicts: [],
    isLast: false,
  }));
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

/** Requests equal limits, so that what was measured with is there. */
function resourcePatches(rate: number, settings: KustomizationSettings): Patch[] {
  const { gpu, gpus = 1 } = settings.hardware;
  const cpus = coresOf(rate, settings);
  const amounts = { ...(cpus !== null && { cpu: String(cpus) }), ...(gpu !== null && gpus > 1 && { [GPU]: String(gpus) }) };
  return Object.keys(amounts).length === 0 ? [] : [deploymentPatch({ resources: { requests: amounts, limits: { ...amounts } } })];
}

/**
 * Of a pod: as many as were measured with where they do the work. On a GPU, those that the highest rate keeps busy, with some to spare; null
 * where that is not known: the component gpu says then.
 */
function coresOf(rate: number, { hardware, cpuMsPerRequest }: KustomizationSettings): number | null {
  if (hardware.gpu === null) return hardware.cpus;
  if (cpuMsPerRequest === null) return null;
  return Math.max(LEAST_CORES, Math.ceil((rate * cpuMsPerRequest) / 10 / CPU_PERCENT.least));
}

function optionsPatches({ chosen }: Plan): Patch[] {
  const threads = chosen?.settings.cpuThreads ?? 0;
  return threads > 0 ? [deploymentPatch({ env: [{ name: 'PENSTOCK_CPU_THREADS', value: String(threads) }] })] : [];
}

function deploymentPatch(container: object): Patch {
  const spec = { template: { spec: { containers: [{ name: 'penstock', ...container }] } } };
  return { patch: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'penstock' }, spec } };
}

interface Targets extends AutoscalerTargets {
  readonly cpuPercent: number;
}

function targetsOf(plan: Plan, settings: KustomizationSettings): Targets {
  const targets = autoscalerTargets(plan) ?? { rate: 0, queue: 1, p95Ms: null };
  const cores = coresOf(plan.chosen?.rate.value ?? 0, settings);
  const busy = settings.cpuMsPerRequest === null || cores === null ? 0 : (targets.rate * settings.cpuMsPerRequest) / 10 / cores;
  const cpuPercent = Math.min(CPU_PERCENT.most, Math.max(CPU_PERCENT.least, Math.ceil(busy) + CPU_PERCENT.margin));
  return { ...targets, cpuPercent };
}

/** In thousandths where a whole number would say too little. Never 0, which no autoscaler takes. */
function thousandthsOf(rate: number): number {
  return rate >= LEAST_WHOLE ? 1000 * Math.floor(rate) : Math.max(1, Math.floor(1000 * rate));
}

/** A `test` before each: a component whose list is in another order fails the build, and does not get a wrong target. */
const replaced = (at: string, name: readonly [path: string, value: string], target: readonly [path: string, value: unknown]): object[] => [
  { op: 'test', path: `${at}/${name[0]}`, value: name[1] },
  { op: 'replace', path: `${at}/${target[0]}`, value: target[1] },
];

/** An entry of a list. Those behind it move up, so this comes last. */
const removed = (at: string, name: readonly [path: string, value: string]): object[] => [
  { op: 'test', path: `${at}/${name[0]}`, value: name[1] },
  { op: 'remove', path: at },
];

function hpaPatch(plan: Plan, settings: KustomizationSettings): Patch {
  const { cpuPercent, queue, p95Ms, rate } = targetsOf(plan, settings);
  const pods = (index: number, metric: string, value: string): object[] =>
    replaced(`/spec/metrics/${index}/pods`, ['metric/name', metric], ['target/averageValue', value]);
  const thousandths = thousandthsOf(rate);
  const patch = [
    ...bounds(plan, '/spec/minReplicas', '/spec/maxReplicas'),
    ...replaced('/spec/metrics/0/containerResource', ['name', 'cpu'], ['target/averageUtilization', cpuPercent]),
    ...pods(2, 'inference_queue_depth', String(queue)),
    ...pods(4, 'inference_requests_per_second', thousandths % 1000 === 0 ? String(thousandths / 1000) : `${thousandths}m`),
    // In thousandths of a second, rounded up.
    ...(p95Ms === null
      ? removed('/spec/metrics/3', ['pods/metric/name', 'inference_latency_p95'])
      : pods(3, 'inference_latency_p95', `${Math.ceil(p95Ms)}m`)),
  ];
  return { target: { kind: 'HorizontalPodAutoscaler', name: 'penstock' }, patch };
}

function kedaPatch(plan: Plan, settings: KustomizationSettings): Patch {
  const { cpuPercent, queue, p95Ms, rate } = targetsOf(plan, settings);
  const trigger = (index: number, name: string, value: number): object[] =>
    replaced(`/spec/triggers/${index}`, ['name', name], ['metadata/threshold', String(value)]);
  const patch = [
    ...bounds(plan, '/spec/minReplicaCount', '/spec/maxReplicaCount'),
    { op: 'replace', path: '/spec/fallback/replicas', value: plan.autoscaling?.least },
    ...replaced('/spec/triggers/0', ['type', 'cpu'], ['metadata/value', String(cpuPercent)]),
    ...trigger(2, 'queue-depth', queue),
    ...trigger(4, 'requests-per-second', thousandthsOf(rate) / 1000),
    ...(p95Ms === null ? removed('/spec/triggers/3', ['name', 'latency-p95']) : trigger(3, 'latency-p95', Math.ceil(p95Ms) / 1000)),
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
