/** The parts of manifests that lint rules and tests read, with types for no more than that. */
import type { Manifest } from './kustomize.js';

export type Labels = Readonly<Record<string, string>>;

export interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

interface Handler {
  readonly httpGet?: { readonly path?: string; readonly port: string | number };
  readonly tcpSocket?: { readonly port: string | number };
  readonly grpc?: { readonly port: number };
  readonly sleep?: { readonly seconds: number };
}

export interface Probe extends Handler {
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
  readonly successThreshold?: number;
}

interface KeyReference {
  readonly name: string;
  readonly key: string;
  readonly optional?: boolean;
}

interface NamedReference {
  readonly name: string;
  readonly optional?: boolean;
}

type Quantities = Readonly<Record<string, string | number>>;

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly configMapKeyRef?: KeyReference; readonly secretKeyRef?: KeyReference };
  }[];
  readonly envFrom?: readonly { readonly prefix?: string; readonly configMapRef?: NamedReference; readonly secretRef?: NamedReference }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: Handler; readonly postStart?: Handler };
  readonly resources?: {
    readonly requests?: Quantities;
    readonly limits?: Quantities;
    readonly claims?: readonly { readonly name: string }[];
  };
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly subPath?: string;
    readonly readOnly?: boolean;
  }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly terminationMessagePath?: string;
}

export interface VolumeSource {
  readonly configMap?: {
    readonly name: string;
    readonly optional?: boolean;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
  };
  readonly secret?: { readonly secretName?: string; readonly name?: string; readonly optional?: boolean };
}

export interface Volume extends VolumeSource {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean };
  readonly image?: { readonly reference: string; readonly pullPolicy: string };
  readonly hostPath?: { readonly path: string };
  readonly emptyDir?: { readonly medium?: string; readonly sizeLimit?: string | number };
  readonly projected?: { readonly sources?: readonly VolumeSource[] };
}

interface NodeTerm {
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

interface PodTerm {
  readonly labelSelector?: Selector;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly serviceAccountName?: string;
  readonly priorityClassName?: string;
  readonly runtimeClassName?: string;
  readonly imagePullSecrets?: readonly NamedReference[];
  readonly resourceClaims?: readonly {
    readonly name: string;
    readonly resourceClaimName?: string;
    readonly resourceClaimTemplateName?: string;
  }[];
  readonly restartPolicy?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly tolerations?: readonly { readonly key?: string; readonly operator?: string; readonly value?: string }[];
  readonly topologySpreadConstraints?: readonly { readonly labelSelector?: Selector }[];
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms: readonly NodeTerm[] };
      readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly { readonly preference: NodeTerm }[];
    };
    readonly podAntiAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodTerm[];
      readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly { readonly podAffinityTerm: PodTerm }[];
    };
  };
}

export interface PodTemplate {
  /** Kind and name of what makes the pods. */
  readonly name: string;
  readonly owner: Manifest;
  readonly metadata: { readonly labels?: Labels };
  readonly spec: PodSpec;
}

interface WithTemplate {
  readonly template?: { readonly metadata?: { readonly labels?: Labels }; readonly spec?: PodSpec };
  readonly jobTemplate?: { readonly spec: WithTemplate };
}

export const titleOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;

/** `spec` of a manifest, with the fields that the caller expects of its kind. */
export const specOf = <Spec>(manifest: Manifest): Spec => (manifest['spec'] ?? {}) as Spec;

export const ofKind = (manifests: readonly Manifest[], ...kinds: readonly string[]): Manifest[] =>
  manifests.filter(({ kind }) => kinds.includes(kind));

/** The pods that these manifests make, whatever makes them (KServe makes its own out of its runtimes). */
export function podTemplates(manifests: readonly Manifest[]): PodTemplate[] {
  return manifests.flatMap((owner) => {
    const spec = specOf<WithTemplate>(owner);
    const { template } = spec.jobTemplate?.spec ?? spec;
    return template?.spec?.containers === undefined
      ? []
      : [{ name: titleOf(owner), owner, metadata: template.metadata ?? {}, spec: template.spec }];
  });
}

/** Keys of selectors that Flagger knows, the first that is there counts: -selector-labels in its cmd/flagger/main.go. */
const FLAGGER_SELECTORS = ['app', 'name', 'app.kubernetes.io/name'];

/** Flagger copies its target: that one label of the pods that serve ends in `-primary`, the others stay (its pkg/canary/util.go). */
export function labelsOfPrimaries(manifests: readonly Manifest[]): Labels[] {
  return ofKind(manifests, 'Canary').flatMap((canary) => {
    const { name } = specOf<{ targetRef: { name: string } }>(canary).targetRef;
    return podTemplates(manifests)
      .filter(({ owner }) => owner.metadata.name === name)
      .flatMap(({ metadata, owner }) => {
        const selected = specOf<{ selector?: Selector }>(owner).selector?.matchLabels ?? {};
        const key = FLAGGER_SELECTORS.find((one) => one in selected);
        return key === undefined ? [] : [{ ...metadata.labels, [key]: `${selected[key]}-primary` }];
      });
  });
}

export const containersOf = ({ spec }: PodTemplate): Container[] => [...(spec.initContainers ?? []), ...spec.containers];

/** As Kubernetes has it: a selector without conditions takes everything. */
export function matches(selector: Selector | undefined, labels: Labels = {}): boolean {
  const pairs = Object.entries(selector?.matchLabels ?? {});
  return (
    pairs.every(([label, value]) => labels[label] === value) &&
    (selector?.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      return operator === 'In' ? value !== undefined && values.includes(value) : value === undefined || !values.includes(value);
    })
  );
}

const UNITS: Readonly<Record<string, number>> = {
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A quantity of Kubernetes as a number: bytes, cores or pieces. NaN when it is none. */
export function quantity(value: string | number): number {
  if (value === Infinity) return Infinity;
  const [, digits, unit = ''] = /^([\d.]+)([a-zA-Z]*)$/.exec(String(value)) ?? [];
  return digits === undefined ? NaN : Number(digits) * (unit === '' ? 1 : (UNITS[unit] ?? NaN));
}
