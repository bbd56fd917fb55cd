/** Names that lead to nothing: the API server takes them, and the pod never starts, or nobody ever reaches it. */
import type { Manifest } from '../kustomize.js';
import {
  containersOf,
  labelsOfPrimaries,
  matches,
  ofKind,
  podTemplates,
  specOf,
  titleOf,
  type Labels,
  type PodSpec,
  type PodTemplate,
  type Selector,
  type VolumeSource,
} from '../workloads.js';

/** Objects that are not among the manifests, but that the cluster has: `Kind/name`. */
export type Given = ReadonlySet<string>;

interface Need {
  readonly kind: string;
  readonly name: string;
  readonly key?: string;
  readonly isOptional?: boolean;
}

/** Classes that every cluster has. */
const SYSTEM_PRIORITIES = /^system-(cluster|node)-critical$/;

function sourceNeeds({ configMap, secret }: VolumeSource): Need[] {
  const secretName = secret?.secretName ?? secret?.name;
  const keys = configMap?.items?.map(({ key }) => key) ?? [];
  return [
    ...(configMap === undefined ? [] : [need('ConfigMap', configMap), ...keys.map((key) => ({ ...need('ConfigMap', configMap), key }))]),
    ...(secretName === undefined ? [] : [{ kind: 'Secret', name: secretName, isOptional: secret?.optional === true }]),
  ];
}

const need = (kind: string, { name, key, optional }: { name: string; key?: string; optional?: boolean }): Need => ({
  kind,
  name,
  ...(key === undefined ? {} : { key }),
  isOptional: optional === true,
});

const named = (kind: string, name: string | undefined): Need[] => (name === undefined ? [] : [{ kind, name }]);

function needsOf(template: PodTemplate): Need[] {
  const { spec } = template;
  const environment = containersOf(template).flatMap(({ env = [], envFrom = [] }) => [
    ...env.flatMap(({ valueFrom }) => [
      ...(valueFrom?.configMapKeyRef === undefined ? [] : [need('ConfigMap', valueFrom.configMapKeyRef)]),
      ...(valueFrom?.secretKeyRef === undefined ? [] : [need('Secret', valueFrom.secretKeyRef)]),
    ]),
    ...envFrom.flatMap(({ configMapRef, secretRef }) => [
      ...(configMapRef === undefined ? [] : [need('ConfigMap', configMapRef)]),
      ...(secretRef === undefined ? [] : [need('Secret', secretRef)]),
    ]),
  ]);
  return [...environment, ...volumeNeeds(spec), ...objectNeeds(spec)];
}

const volumeNeeds = ({ volumes = [] }: PodSpec): Need[] =>
  volumes.flatMap((volume) => [
    ...[volume, ...(volume.projected?.sources ?? [])].flatMap(sourceNeeds),
    ...named('PersistentVolumeClaim', volume.persistentVolumeClaim?.claimName),
  ]);

function objectNeeds({
  serviceAccountName,
  priorityClassName,
  runtimeClassName,
  imagePullSecrets = [],
  resourceClaims = [],
}: PodSpec): Need[] {
  return [
    ...named('ServiceAccount', serviceAccountName === 'default' ? undefined : serviceAccountName),
    ...named('PriorityClass', SYSTEM_PRIORITIES.test(priorityClassName ?? '') ? undefined : priorityClassName),
    ...named('RuntimeClass', runtimeClassName),
    ...imagePullSecrets.flatMap(({ name }) => named('Secret', name)),
    ...resourceClaims.flatMap(({ resourceClaimName, resourceClaimTemplateName }) => [
      ...named('ResourceClaim', resourceClaimName),
      ...named('ResourceClaimTemplate', resourceClaimTemplateName),
    ]),
  ];
}

export function podsFindWhatTheyName(manifests: readonly Manifest[], given: Given = new Set()): string[] {
  return podTemplates(manifests).flatMap((template) =>
    needsOf(template).flatMap(({ kind, name, key, isOptional = false }) => {
      const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
      if (found === undefined) return isOptional || given.has(`${kind}/${name}`) ? [] : [`${template.name}: there is no ${kind} ${name}`];
      const fields = ['data', 'binaryData', 'stringData'].flatMap((field) => Object.keys(found[field] ?? {}));
      return key === undefined || isOptional || fields.includes(key) ? [] : [`${template.name}: ${kind} ${name} has no key ${key}`];
    }),
  );
}

export function containersFindTheirVolumesAndClaims(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) =>
    containersOf(template).flatMap(({ name, volumeMounts = [], resources }) => {
      const has = (list: readonly { name: string }[] | undefined, wanted: string): boolean =>
        list?.some((one) => one.name === wanted) ?? false;
      return [
        ...volumeMounts.filter((mount) => !has(template.spec.volumes, mount.name)).map((mount) => `volume ${mount.name}`),
        ...(resources?.claims ?? [])
          .filter((claim) => !has(template.spec.resourceClaims, claim.name))
          .map((claim) => `claim ${claim.name}`),
      ].map((lacking) => `${template.name}: ${name} uses a ${lacking}, which the pod does not have`);
    }),
  );
}

interface SelectingSpec {
  readonly selector?: Labels | Selector;
  readonly podSelector?: Selector;
}

/** How each kind says which pods it is for; undefined when it is for all. */
function podSelector(manifest: Manifest): Selector | undefined {
  const { selector, podSelector } = specOf<SelectingSpec>(manifest);
  if (manifest.kind === 'NetworkPolicy') return podSelector;
  if (manifest.kind === 'Service') return selector === undefined ? undefined : { matchLabels: selector as Labels };
  return selector;
}

const SELECT_PODS = ['Service', 'PodDisruptionBudget', 'NetworkPolicy', 'PodMonitor', 'AuthorizationPolicy', 'PeerAuthentication'];

export function selectorsFindPods(manifests: readonly Manifest[], given: Given = new Set()): string[] {
  const labels = [...podTemplates(manifests).map(({ metadata }) => metadata.labels), ...labelsOfPrimaries(manifests)];
  return ofKind(manifests, ...SELECT_PODS)
    .filter((manifest) => {
      const selector = podSelector(manifest);
      return selector !== undefined && !labels.some((one) => matches(selector, one));
    })
    .filter((manifest) => !given.has(`Pods/${manifest.metadata.name}`))
    .map((manifest) => `${titleOf(manifest)} selects no pod`);
}

/** A workload must take its own pods, and its rules of spreading are about them. */
export function workloadsSelectTheirOwnPods(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap(({ name, owner, metadata, spec }) => {
    const { selector } = specOf<{ selector?: Selector }>(owner);
    const {
      requiredDuringSchedulingIgnoredDuringExecution: required = [],
      preferredDuringSchedulingIgnoredDuringExecution: preferred = [],
    } = spec.affinity?.podAntiAffinity ?? {};
    const terms = [...(spec.topologySpreadConstraints ?? []), ...required, ...preferred.map(({ podAffinityTerm }) => podAffinityTerm)];
    const selectors = [selector, ...terms.map(({ labelSelector }) => labelSelector)];
    const isAstray = selectors.some((one) => one !== undefined && !matches(one, metadata.labels));
    return isAstray ? [`${name}: a selector in it does not select its own pods`] : [];
  });
}

export function monitorsFindServices(manifests: readonly Manifest[]): string[] {
  const services = ofKind(manifests, 'Service');
  return ofKind(manifests, 'ServiceMonitor')
    .filter((monitor) => !services.some(({ metadata }) => matches(specOf<{ selector: Selector }>(monitor).selector, metadata.labels)))
    .map((monitor) => `${titleOf(monitor)} selects no Service`);
}
