/** Rollouts and canaries: what they borrow, and by what they judge. */
import type { Manifest } from '../kustomize.js';
import { ofKind, specOf, titleOf } from '../workloads.js';

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
