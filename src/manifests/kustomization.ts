/** The choices as a kustomization.yaml, with a comment on each component. */
import { Document, type YAMLSeq, type Scalar } from 'yaml';
import type { Choices } from './choices.js';

/** Components that set the number of replicas between bounds of their own, and where each keeps them. */
const AUTOSCALERS = [
  { component: 'hpa', kind: 'HorizontalPodAutoscaler', least: '/spec/minReplicas', most: '/spec/maxReplicas' },
  { component: 'keda', kind: 'ScaledObject', least: '/spec/minReplicaCount', most: '/spec/maxReplicaCount' },
] as const;
/** Room to grow, times the replicas that were asked for. */
const MOST_PER_LEAST = 2;
/** The namespace that KEDA's queries name, between quotation marks, which Kustomize does not rewrite by itself. */
const QUERY_NAMESPACE = {
  source: { kind: 'Deployment', name: 'penstock', fieldPath: 'metadata.namespace' },
  targets: [
    {
      select: { kind: 'ScaledObject' },
      fieldPaths: ['spec.triggers.[type=prometheus].metadata.query'],
      options: { delimiter: '"', index: 1 },
    },
  ],
};
/** Components by which an Argo Rollout owns the pods; the Deployment is only its template then. */
const ROLLOUTS = ['rollout-canary', 'rollout-canary-istio', 'rollout-bluegreen'];
const LINE_WIDTH = 120;
/** Kustomize reads YAML 1.1, to which a namespace called "no" or "0b1" is none unless it is quoted. */
const SCHEMA = { compat: 'yaml-1.1' };

/** What a kustomization has beside the choices. */
export interface Additions {
  /** After all others. */
  readonly patches: readonly Patch[];
  /** Lines above everything else. */
  readonly comment: readonly string[];
}

/** `k8s`: path or URL of the folder with base/ and components/, as the kustomization is to name it. */
export function kustomization(choices: Choices, k8s: string, additions: Additions = { patches: [], comment: [] }): string {
  const { components, source, image, namespace } = choices;
  // A URL may end in a query that names a release: ?ref=v0.1.0.
  const [folder = '', query] = k8s.split('?');
  const at = (path: string): string => `${folder}/${path}${query === undefined ? '' : `?${query}`}`;
  const patches = [...source.patches, ...replicaPatches(choices), ...additions.patches].map(({ patch, ...target }: Patch) => ({
    ...target,
    // Kustomize takes an inline patch as a text.
    patch: new Document(patch, SCHEMA).toString(),
  }));
  const content = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace,
    resources: [at('namespace'), at('base')],
    ...(components.length > 0 && { components: components.map(({ name }) => at(`components/${name}`)) }),
    ...(image !== undefined && { images: [image] }),
    ...replicaCount(choices),
    ...(includes(choices, 'keda') && { replacements: [QUERY_NAMESPACE] }),
    ...(patches.length > 0 && { patches }),
  };
  const document = new Document(content, SCHEMA);
  const listed = document.get('components') as YAMLSeq<Scalar> | undefined;
  listed?.items.forEach((item, position) => (item.commentBefore = ` ${components[position]?.summary ?? ''}`));
  const needs = components.filter(({ needs: what }) => what !== '' && !what.startsWith('nothing'));
  document.commentBefore = [
    ...additions.comment.map((line) => (line === '' ? '' : ` ${line}`)),
    ' Build: kubectl kustomize .    Install: kubectl apply -k .',
    ...(needs.length === 0 ? [] : [' The cluster must have:', ...needs.map(({ name, needs: what }) => `   ${name}: ${what}`)]),
  ].join('\n');
  return document.toString({ lineWidth: LINE_WIDTH });
}

const includes = ({ components }: Choices, name: string): boolean => components.some((component) => component.name === name);

function replicaCount(choices: Choices): object {
  const owned = [...AUTOSCALERS.map(({ component }) => component), ...ROLLOUTS].some((name) => includes(choices, name));
  return choices.replicas === undefined || owned ? {} : { replicas: [{ name: 'penstock', count: choices.replicas }] };
}

export interface Patch {
  /** Needed where `patch` is a list of operations, which names nothing itself. */
  readonly target?: object;
  readonly patch: object;
}

function replicaPatches(choices: Choices): Patch[] {
  const { replicas } = choices;
  if (replicas === undefined) return [];
  const set = (path: string, value: number): object => ({ op: 'add', path, value });
  const patchOf = (kind: string, patch: object[]): Patch => ({ target: { kind, name: 'penstock' }, patch });
  const autoscalers = AUTOSCALERS.filter(({ component }) => includes(choices, component));
  if (autoscalers.length > 0) {
    return autoscalers.map(({ kind, least, most }) => patchOf(kind, [set(least, replicas), set(most, MOST_PER_LEAST * replicas)]));
  }
  return ROLLOUTS.some((name) => includes(choices, name)) ? [patchOf('Rollout', [set('/spec/replicas', replicas)])] : [];
}
