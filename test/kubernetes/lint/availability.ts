/** What keeps pods running, and what lets them be replaced. */
import type { Manifest } from '../kustomize.js';
import { containersOf, matches, ofKind, podTemplates, specOf, titleOf, type PodTemplate, type Selector } from '../workloads.js';

interface Reference {
  readonly kind?: string;
  readonly name: string;
}

interface ScalerSpec {
  readonly scaleTargetRef?: Reference;
  readonly targetRef?: Reference;
  readonly autoscalerRef?: Reference;
  readonly workloadRef?: Reference;
  readonly minReplicas?: number;
  readonly minReplicaCount?: number;
}

interface WorkloadSpec {
  readonly replicas?: number;
  readonly progressDeadlineSeconds?: number;
  readonly workloadRef?: Reference;
  readonly strategy?: {
    readonly rollingUpdate?: RollingUpdate;
    readonly canary?: RollingUpdate & { readonly trafficRouting?: unknown };
  };
  readonly updateStrategy?: { readonly rollingUpdate?: RollingUpdate };
}

interface RollingUpdate {
  readonly maxSurge?: number | string;
  readonly maxUnavailable?: number | string;
}

const titleOfReference = ({ kind = 'Deployment', name }: Reference): string => `${kind} ${name}`;
const isNone = (amount: number | string | undefined): boolean => amount === 0 || amount === '0' || amount === '0%';

const scalersOf = (manifests: readonly Manifest[], target: string): Manifest[] =>
  ofKind(manifests, 'HorizontalPodAutoscaler', 'ScaledObject').filter((scaler) => {
    const { scaleTargetRef } = specOf<ScalerSpec>(scaler);
    return scaleTargetRef !== undefined && titleOfReference(scaleTargetRef) === target;
  });

/** The fewest pods that there may be. A Rollout that refers to a Deployment takes its place. */
function fewestReplicas(manifests: readonly Manifest[], template: PodTemplate): number {
  const rollout = ofKind(manifests, 'Rollout').find((one) => {
    const { workloadRef } = specOf<WorkloadSpec>(one);
    return workloadRef !== undefined && titleOfReference(workloadRef) === template.name;
  });
  const owner = rollout ?? template.owner;
  const least = scalersOf(manifests, titleOf(owner)).map((scaler) => {
    const { minReplicas, minReplicaCount } = specOf<ScalerSpec>(scaler);
    return minReplicas ?? minReplicaCount ?? 1;
  });
  return Math.min(...(least.length > 0 ? least : [specOf<WorkloadSpec>(owner).replicas ?? 1]));
}

interface BudgetSpec {
  readonly selector?: Selector;
  readonly minAvailable?: number | string;
  readonly maxUnavailable?: number | string;
}

/** A node with such a pod can never be drained. */
export function budgetsAllowDisruption(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'PodDisruptionBudget').flatMap((budget) => {
    const { selector, minAvailable, maxUnavailable } = specOf<BudgetSpec>(budget);
    if (isNone(maxUnavailable)) return [`${titleOf(budget)}: maxUnavailable 0 allows no disruption`];
    if (minAvailable === '100%') return [`${titleOf(budget)}: minAvailable 100% allows no disruption`];
    return podTemplates(manifests)
      .filter(({ metadata, owner }) => owner.kind !== 'DaemonSet' && matches(selector, metadata.labels))
      .filter((template) => typeof minAvailable === 'number' && minAvailable >= fewestReplicas(manifests, template))
      .map(({ name }) => `${titleOf(budget)}: minAvailable ${minAvailable} allows no disruption of ${name}`);
  });
}

export function oneAutoscalerScalesATarget(manifests: readonly Manifest[]): string[] {
  const targets = new Set(
    ofKind(manifests, 'HorizontalPodAutoscaler', 'ScaledObject').flatMap((scaler) => {
      const { scaleTargetRef } = specOf<ScalerSpec>(scaler);
      return scaleTargetRef === undefined ? [] : [titleOfReference(scaleTargetRef)];
    }),
  );
  return [...targets].flatMap((target) => {
    const scalers = scalersOf(manifests, target).map(titleOf);
    return scalers.length > 1 ? [`${target} is scaled by ${scalers.join(' and ')}`] : [];
  });
}

/** An autoscaler that says how many, and a manifest that says it again at each apply. */
export function autoscaledTargetsHaveNoReplicas(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'Deployment', 'Rollout', 'StatefulSet').flatMap((target) => {
    const scalers = scalersOf(manifests, titleOf(target)).map(titleOf);
    const { replicas } = specOf<WorkloadSpec>(target);
    return scalers.length > 0 && replicas !== undefined ? [`${titleOf(target)} has replicas, which ${scalers.join(', ')} decides`] : [];
  });
}

export function targetsOfReferencesExist(manifests: readonly Manifest[]): string[] {
  const titles = new Set(manifests.map(titleOf));
  return ofKind(manifests, 'HorizontalPodAutoscaler', 'ScaledObject', 'VerticalPodAutoscaler', 'Canary', 'Rollout').flatMap((manifest) => {
    const { scaleTargetRef, targetRef, autoscalerRef, workloadRef } = specOf<ScalerSpec>(manifest);
    return [scaleTargetRef, targetRef, autoscalerRef, workloadRef]
      .flatMap((reference) => (reference === undefined ? [] : [titleOfReference(reference)]))
      .filter((title) => !titles.has(title))
      .map((title) => `${titleOf(manifest)}: there is no ${title}`);
  });
}

export function rolloutsCanMove(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'Deployment', 'DaemonSet', 'Rollout').flatMap((workload) => {
    const { strategy, updateStrategy } = specOf<WorkloadSpec>(workload);
    // With a traffic router Argo Rollouts does not read these.
    const canary = strategy?.canary?.trafficRouting === undefined ? strategy?.canary : undefined;
    const { maxSurge, maxUnavailable } = strategy?.rollingUpdate ?? updateStrategy?.rollingUpdate ?? canary ?? {};
    return isNone(maxSurge) && isNone(maxUnavailable) ? [`${titleOf(workload)}: maxSurge and maxUnavailable are both 0`] : [];
  });
}

const DEFAULT_DEADLINE_SECONDS = 600;

/** Or a pod that only starts slowly counts as a failed rollout. */
export function deadlinesLeaveTimeToStart(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) => {
    if (!['Deployment', 'Rollout'].includes(template.owner.kind)) return [];
    const { progressDeadlineSeconds: deadline = DEFAULT_DEADLINE_SECONDS } = specOf<WorkloadSpec>(template.owner);
    return template.spec.containers.flatMap(({ name, startupProbe }) => {
      if (startupProbe === undefined) return [];
      const { initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3 } = startupProbe;
      const longest = initialDelaySeconds + periodSeconds * failureThreshold;
      return deadline > longest ? [] : [`${template.name}: ${name} may take ${longest} s to start, the rollout ${deadline} s`];
    });
  });
}

export function livenessSucceedsAtOnce(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) =>
    containersOf(template)
      .filter(({ startupProbe, livenessProbe }) => [startupProbe, livenessProbe].some((probe) => (probe?.successThreshold ?? 1) !== 1))
      .map(({ name }) => `${template.name}: successThreshold of the liveness and startup probes of ${name} must be 1`),
  );
}
