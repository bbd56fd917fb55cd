/** Rollouts and canaries: what they borrow, and by what they judge. */
import type { Manifest } from '../kustomize.js';
import { labelsOfPrimaries, matches, ofKind, podTemplates, specOf, titleOf, type Selector } from '../workloads.js';

interface TemplateReference {
  readonly templateName?: string;
  readonly clusterScope?: boolean;
  readonly templateRef?: { readonly name: string };
}

/** Wherever they stand: analyses are in steps, before and after a promotion, and in the background. */
function references(value: unknown): TemplateReference[] {
  if (typeof value !== 'object' || value === null) return [];
  const isReference = 'templateName' in value || 'templateRef' in value;
  return [...(isReference ? [value as TemplateReference] : []), ...Object.values(value).flatMap(references)];
}

export function templatesOfAnalysesExist(manifests: readonly Manifest[]): string[] {
  const titles = new Set(manifests.map(titleOf));
  return ofKind(manifests, 'Rollout', 'Canary').flatMap((owner) =>
    references(specOf(owner))
      .flatMap(({ templateName, templateRef, clusterScope }) => [
        ...(templateName === undefined || clusterScope === true ? [] : [`AnalysisTemplate ${templateName}`]),
        ...(templateRef === undefined ? [] : [`MetricTemplate ${templateRef.name}`]),
      ])
      .filter((title) => !titles.has(title))
      .map((title) => `${titleOf(owner)}: there is no ${title}`),
  );
}

/** Pods of a Deployment that lends a Rollout its template get traffic that nobody judges; without a number there is one. */
export function lendersOfTemplatesRunNoPods(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'Rollout').flatMap((rollout) => {
    const { workloadRef } = specOf<{ workloadRef?: { kind: string; name: string; scaleDown?: string } }>(rollout);
    if (workloadRef === undefined || (workloadRef.scaleDown ?? 'never') !== 'never') return [];
    return ofKind(manifests, workloadRef.kind)
      .filter(({ metadata }) => metadata.name === workloadRef.name)
      .filter((lender) => specOf<{ replicas?: number }>(lender).replicas !== 0)
      .map((lender) => `${titleOf(lender)} lends ${titleOf(rollout)} its template and runs pods itself`);
  });
}

/** A Deployment that lends its template has no pods to scale. */
export function autoscalersLeaveLendersAlone(manifests: readonly Manifest[]): string[] {
  const lenders = ofKind(manifests, 'Rollout').flatMap((rollout) => {
    const { workloadRef } = specOf<{ workloadRef?: { kind: string; name: string } }>(rollout);
    return workloadRef === undefined ? [] : [`${workloadRef.kind} ${workloadRef.name}`];
  });
  return ofKind(manifests, 'HorizontalPodAutoscaler', 'ScaledObject', 'VerticalPodAutoscaler').flatMap((scaler) => {
    const { scaleTargetRef, targetRef } =
      specOf<Record<'scaleTargetRef' | 'targetRef', { kind?: string; name: string } | undefined>>(scaler);
    const { kind = 'Deployment', name } = scaleTargetRef ?? targetRef ?? { name: '' };
    return lenders.includes(`${kind} ${name}`) ? [`${titleOf(scaler)} scales ${kind} ${name}, which only lends its template`] : [];
  });
}

/** A policy for the pods of a Canary's target that forgets those of the copy, which serve, shuts them in or leaves them open. */
export function policiesCoverPrimaries(manifests: readonly Manifest[]): string[] {
  const primaries = labelsOfPrimaries(manifests);
  const targets = ofKind(manifests, 'Canary').map((canary) => specOf<{ targetRef: { name: string } }>(canary).targetRef.name);
  const copied = podTemplates(manifests).filter(({ owner }) => targets.includes(owner.metadata.name));
  return ofKind(manifests, 'NetworkPolicy')
    .filter((policy) => {
      const { podSelector } = specOf<{ podSelector: Selector }>(policy);
      return (
        copied.some(({ metadata }) => matches(podSelector, metadata.labels)) && !primaries.some((labels) => matches(podSelector, labels))
      );
    })
    .map((policy) => `${titleOf(policy)} is for the pods of a Canary's target and not for those of its copy`);
}
