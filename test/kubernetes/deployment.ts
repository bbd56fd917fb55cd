/** The Deployment of an installation, as far as tests of components read it, and what the server in it makes of its options. */
import type { Options } from '../../src/config/options.js';
import { compose, find, type Manifest } from './kustomize.js';
import { serverOptions as optionsOf } from './server-options.js';
import { podTemplates } from './workloads.js';

type Quantities = Readonly<Record<string, string>>;

interface Probe {
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly resources: {
    readonly requests: Quantities;
    readonly limits: Quantities;
    readonly claims?: readonly { readonly name: string }[];
  };
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface MatchExpression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values?: readonly string[];
}

interface NodeSelectorTerm {
  readonly matchExpressions: readonly MatchExpression[];
}

export interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly runtimeClassName?: string;
  readonly priorityClassName?: string;
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string }[];
  readonly resourceClaims?: readonly { readonly name: string; readonly resourceClaimTemplateName: string }[];
  readonly tolerations: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms: readonly NodeSelectorTerm[] };
      readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly { readonly preference: NodeSelectorTerm }[];
    };
    readonly podAntiAffinity?: Readonly<Record<string, unknown>>;
  };
  readonly topologySpreadConstraints?: readonly {
    readonly topologyKey: string;
    readonly whenUnsatisfiable: string;
    readonly matchLabelKeys?: readonly string[];
  }[];
}

export interface Deployment {
  readonly replicas?: number;
  readonly progressDeadlineSeconds: number;
  readonly strategy: { readonly type: string; readonly rollingUpdate: { readonly maxSurge: number; readonly maxUnavailable: number } };
  readonly pod: PodSpec;
  readonly container: Container;
}

const built = new Map<string, Promise<readonly Manifest[]>>();

/** The base with these components, in this order; built once. */
export function installation(...components: readonly string[]): Promise<readonly Manifest[]> {
  const key = components.join(' ');
  const manifests = built.get(key) ?? compose({ components });
  built.set(key, manifests);
  return manifests;
}

export function deployment(manifests: readonly Manifest[]): Deployment {
  const spec = find(manifests, 'Deployment', 'penstock')['spec'] as Deployment & { readonly template: { readonly spec: PodSpec } };
  const pod = spec.template.spec;
  const container = pod.containers.find(({ name }) => name === 'penstock');
  if (container === undefined) throw new Error('no container penstock');
  return { ...spec, pod, container };
}

/** As its server reads them. Throws at a variable that is no option. */
export function serverOptions(manifests: readonly Manifest[]): Options {
  const template = podTemplates(manifests).find(({ name }) => name === 'Deployment penstock');
  const container = template?.spec.containers.find(({ name }) => name === 'penstock');
  const loaded = template && container && optionsOf(manifests, template, container);
  if (loaded === undefined) throw new Error('no container penstock that serves');
  if (loaded.warnings.length > 0) throw new Error(loaded.warnings.join('\n'));
  return loaded.options;
}

/** Whether the scheduler would put the pod on a node with these labels, by the required node affinity alone. */
export function acceptsNode({ affinity }: PodSpec, labels: Readonly<Record<string, string>>): boolean {
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => matches(term, labels));
}

function matches({ matchExpressions }: NodeSelectorTerm, labels: Readonly<Record<string, string>>): boolean {
  return matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === 'In') return value !== undefined && values.includes(value);
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    // As k8s.io/apimachinery/pkg/labels/selector.go has it: both are whole numbers, or nothing matches.
    const [bound = ''] = values;
    if (value === undefined || !isWhole(value) || !isWhole(bound) || values.length !== 1) return false;
    return operator === 'Gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
  });
}

const isWhole = (text: string): boolean => /^-?\d+$/.test(text);
