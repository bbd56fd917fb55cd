/** The base with some fields of its pod changed by Kustomize, where a test cannot wait as long as the base does. */
import { compose } from './kustomize.js';
import { podTemplate, type PodTemplate } from './pod-template.js';

export interface PodPatch {
  /** Merged into the pod. */
  readonly pod?: Readonly<Record<string, unknown>>;
  /** Merged into the container. */
  readonly container?: Readonly<Record<string, unknown>>;
}

export async function patchedPod({ pod = {}, container = {} }: PodPatch): Promise<PodTemplate> {
  const patch = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'penstock' },
    spec: { template: { spec: { ...pod, containers: [{ name: 'penstock', ...container }] } } },
  };
  return podTemplate(await compose({ patches: [{ patch: JSON.stringify(patch) }] }));
}
