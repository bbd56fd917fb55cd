/** The parts of pods that tests of several containers look at, as the manifests have them. */
import type { Manifest } from './kustomize.js';

export interface EnvVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly optional?: boolean } };
}

export interface PodContainer {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly EnvVariable[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly resources?: { readonly requests?: Record<string, unknown>; readonly limits?: Record<string, unknown> };
}

export interface PodVolume {
  readonly name: string;
  readonly configMap?: { readonly name: string; readonly items?: readonly { readonly key: string; readonly path: string }[] };
  readonly emptyDir?: { readonly sizeLimit?: string };
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean };
  readonly image?: { readonly reference: string; readonly pullPolicy: string };
  readonly hostPath?: { readonly path: string };
  readonly secret?: { readonly secretName: string };
}

export interface Pod {
  readonly containers: readonly PodContainer[];
  readonly initContainers?: readonly PodContainer[];
  readonly volumes?: readonly PodVolume[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface PodTemplateSpec {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: Pod;
}

interface Workload {
  readonly spec: { readonly template?: PodTemplateSpec; readonly jobTemplate?: { readonly spec: { readonly template: PodTemplateSpec } } };
}

/** The template of a Deployment, DaemonSet, Job or CronJob; undefined for anything else. */
export function templateOf(manifest: Manifest): PodTemplateSpec | undefined {
  if (!['Deployment', 'DaemonSet', 'Job', 'CronJob'].includes(manifest.kind)) return undefined;
  const { spec } = manifest as unknown as Workload;
  return spec.template ?? spec.jobTemplate?.spec.template;
}

/** Throws where there is no such thing, instead of undefined. */
export function named<Part extends { readonly name: string }>(parts: readonly Part[] | undefined, name: string): Part {
  const part = parts?.find((one) => one.name === name);
  if (part === undefined) throw new Error(`there is nothing called ${name}`);
  return part;
}

/** The files of a ConfigMap by key, or by the paths that `items` give them. */
export function filesOf(
  configMap: Manifest,
  items?: readonly { readonly key: string; readonly path: string }[],
): Map<string, string | Buffer> {
  const { data = {}, binaryData = {} } = configMap as unknown as Record<'data' | 'binaryData', Record<string, string> | undefined>;
  const files = new Map<string, string | Buffer>(Object.entries(data));
  for (const [key, text] of Object.entries(binaryData)) files.set(key, Buffer.from(text, 'base64'));
  if (items === undefined) return files;
  return new Map(
    items.map(({ key, path }) => {
      const file = files.get(key);
      if (file === undefined) throw new Error(`${configMap.metadata.name} has no key ${key}: the pod would never start`);
      return [path, file];
    }),
  );
}
