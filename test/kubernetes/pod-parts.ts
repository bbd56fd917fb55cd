/** The parts of pods that tests of several containers look at, as the manifests have them. */
import type { Manifest } from './kustomize.js';
import { podTemplates, type PodSpec } from './workloads.js';

/** The pod that a Deployment, DaemonSet, Job or CronJob makes. */
export function podOf(manifest: Manifest): PodSpec {
  const [template] = podTemplates([manifest]);
  if (template === undefined) throw new Error(`${manifest.kind} ${manifest.metadata.name} makes no pods`);
  return template.spec;
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
