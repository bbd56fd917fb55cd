/** Several installations in one namespace, told apart by a suffix and a label as in overlays/multi-model. */
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { components } from './builds.js';
import { compose, type Manifest } from './kustomize.js';
import { lint } from './lint.js';
import { danglingServices } from './references.js';
import { matches, ofKind, podTemplates, specOf, titleOf, type Labels, type Selector } from './workloads.js';

const NAMESPACE = 'models';
const CLUSTER_WIDE = ['PriorityClass'];

/** Flagger's pods are selected by labels that all installations of a namespace share, as its kustomization says. */
const combinations = [
  ...components.map(({ folder }) => [basename(folder)]).filter(([name = '']) => !name.startsWith('flagger')),
  ['hpa', 'rollout-canary', 'rollout-autoscaled'],
  ['keda', 'rollout-bluegreen', 'rollout-autoscaled'],
  ['vpa', 'rollout-canary-istio'],
];

/** Queries are texts that Kustomize does not read: each installation says which pods are its own. */
const ownPods = (instance: string): object[] =>
  [2, 3, 4].map((trigger) => ({
    target: { kind: 'ScaledObject' },
    patch: JSON.stringify([
      {
        op: 'replace',
        path: `/spec/triggers/${trigger}/metadata/query`,
        value: `sum(up{namespace="${NAMESPACE}", pod=~"penstock-${instance}-.+"})`,
      },
    ]),
  }));

const install = (names: readonly string[], instance: string): Promise<Manifest[]> =>
  compose({
    components: names,
    namespace: NAMESPACE,
    nameSuffix: `-${instance}`,
    labels: [{ pairs: { 'app.kubernetes.io/instance': instance }, includeSelectors: true, includeTemplates: true }],
    ...(names.includes('keda') ? { patches: ownPods(instance) } : {}),
  });

const selectorOf = (manifest: Manifest): Selector | undefined => {
  const { selector, podSelector } = specOf<{ selector?: Labels | Selector; podSelector?: Selector }>(manifest);
  return manifest.kind === 'Service' ? { matchLabels: selector as Labels } : (podSelector ?? selector);
};

const SELECTING = ['Service', 'PodDisruptionBudget', 'NetworkPolicy', 'AuthorizationPolicy', 'PeerAuthentication', 'Deployment'];

describe.each(combinations.map((names) => [names.join(', '), names] as const))('two installations with %s', (_, names) => {
  it('name nothing but their own objects, and select nothing but their own pods', async () => {
    // A Secret of others is named as it is: both may use one.
    const given = new Set(['RuntimeClass/nvidia', 'Secret/penstock-tls']);
    const [one, other] = await Promise.all([install(names, 'one'), install(names, 'other')]);
    for (const manifests of [one, other]) {
      expect(lint(manifests, given)).toEqual([]);
      expect(danglingServices(manifests)).toEqual([]);
    }
    expect(lint([...one, ...other], given)).toEqual([]);
    const titles = new Set(one.map(titleOf));
    expect(other.filter((manifest) => titles.has(titleOf(manifest)) && !CLUSTER_WIDE.includes(manifest.kind)).map(titleOf)).toEqual([]);
    const foreign = [
      ...ofKind(one, ...SELECTING).filter((manifest) =>
        podTemplates(other).some(({ metadata }) => matches(selectorOf(manifest), metadata.labels)),
      ),
      ...ofKind(one, 'ServiceMonitor').filter((monitor) =>
        ofKind(other, 'Service').some(({ metadata }) => matches(selectorOf(monitor), metadata.labels)),
      ),
    ];
    expect(foreign.map(titleOf)).toEqual([]);
  });

  it('take clients and servers in other namespaces for what they are', async () => {
    const plain = await compose({ components: names, namespace: NAMESPACE });
    const peers = (manifests: readonly Manifest[]): string[] =>
      ofKind(manifests, 'NetworkPolicy')
        .map((policy) => specOf<{ ingress?: unknown; egress?: unknown }>(policy))
        .map(({ ingress, egress }) => JSON.stringify([ingress, egress]))
        .sort();
    expect(peers(await install(names, 'one'))).toEqual(peers(plain));
  });
});
