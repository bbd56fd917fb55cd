/** What the kubelet reads in a pod template: one container, its probes, its volumes and how it ends, with the defaults of the API server. */
import { find, type Manifest } from './kustomize.js';
import { podOf } from './pod-parts.js';
import { quantity, type Probe as WrittenProbe, type Volume as WrittenVolume } from './workloads.js';

export interface Probe {
  readonly path: string;
  /** Name of a container port, or its number. */
  readonly port: string | number;
  readonly initialDelaySeconds: number;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

/** In the order in which a container meets them. */
export const PROBE_KINDS = ['startup', 'readiness', 'liveness'] as const;
export type ProbeKind = (typeof PROBE_KINDS)[number];

/** `config`: file name -> content. `empty`: on disk. `memory`: bytes at most. */
export type Volume =
  | { readonly kind: 'config'; readonly files: Readonly<Record<string, string>> }
  | { readonly kind: 'empty' }
  | { readonly kind: 'memory'; readonly bytes: number };

export interface VolumeMount {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly volume: Volume;
}

export interface PodTemplate {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Port name -> number in the container. */
  readonly ports: Readonly<Record<string, number>>;
  readonly probes: Readonly<Partial<Record<ProbeKind, Probe>>>;
  readonly mounts: readonly VolumeMount[];
  readonly preStopSeconds: number;
  readonly gracePeriodSeconds: number;
  readonly terminationMessagePath: string;
}

/** The container `penstock` of the only manifest of this kind. Throws at what the kubelet of these tests cannot do. */
export function podTemplate(manifests: readonly Manifest[], kind = 'Deployment'): PodTemplate {
  const pod = podOf(find(manifests, kind));
  const container = pod.containers.find(({ name }) => name === 'penstock');
  if (container === undefined || container.command !== undefined) throw new Error('not a container that runs what the image says');
  const probes = { startup: container.startupProbe, readiness: container.readinessProbe, liveness: container.livenessProbe };
  return {
    args: container.args ?? [],
    env: Object.fromEntries((container.env ?? []).map(({ name, value, valueFrom }) => [name, plain(name, value, valueFrom)])),
    ports: Object.fromEntries((container.ports ?? []).map(({ name = '', containerPort }) => [name, containerPort])),
    probes: Object.fromEntries(PROBE_KINDS.flatMap((one) => (probes[one] === undefined ? [] : [[one, probeOf(probes[one])]]))),
    mounts: (container.volumeMounts ?? []).map(({ name, mountPath, readOnly = false }) => {
      const volume = pod.volumes?.find((one) => one.name === name);
      if (volume === undefined) throw new Error(`there is no volume ${name}`);
      return { name, path: mountPath, readOnly, volume: volumeOf(volume, manifests) };
    }),
    preStopSeconds: container.lifecycle?.preStop?.sleep?.seconds ?? 0,
    gracePeriodSeconds: pod.terminationGracePeriodSeconds ?? 30,
    terminationMessagePath: container.terminationMessagePath ?? '/dev/termination-log',
  };
}

function plain(name: string, value: string | undefined, valueFrom: unknown): string {
  if (valueFrom !== undefined) throw new Error(`${name} comes from elsewhere`);
  return value ?? '';
}

function probeOf({ httpGet, ...raw }: WrittenProbe): Probe {
  if (httpGet === undefined) throw new Error('a probe that is not httpGet');
  return {
    path: httpGet.path ?? '/',
    port: httpGet.port,
    initialDelaySeconds: raw.initialDelaySeconds ?? 0,
    periodSeconds: raw.periodSeconds ?? 10,
    timeoutSeconds: raw.timeoutSeconds ?? 1,
    successThreshold: raw.successThreshold ?? 1,
    failureThreshold: raw.failureThreshold ?? 3,
  };
}

function volumeOf({ name, configMap, emptyDir }: WrittenVolume, manifests: readonly Manifest[]): Volume {
  if (configMap !== undefined) {
    const { data } = find(manifests, 'ConfigMap', configMap.name) as unknown as { data: Record<string, string> };
    return { kind: 'config', files: data };
  }
  if (emptyDir === undefined) throw new Error(`volume ${name} is of a kind that these tests do not know`);
  if (emptyDir.medium !== 'Memory') return { kind: 'empty' };
  const bytes = quantity(emptyDir.sizeLimit ?? '');
  if (Number.isNaN(bytes)) throw new Error(`volume ${name} has no limit`);
  return { kind: 'memory', bytes };
}
