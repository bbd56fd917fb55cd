/** What the server would make of its container: arguments, environment and options file, read by its own loader. */
import { posix } from 'node:path';
import { loadOptions, type LoadedOptions } from '../../src/config/load.js';
import type { Manifest } from './kustomize.js';
import { ofKind, type Container, type PodSpec, type PodTemplate } from './workloads.js';

/** Containers with Penstock's image: the server, and others (an init container) that run another of its commands. */
export const isPenstock = ({ image = '' }: Container): boolean => /(^|\/)penstock(-cuda)?([:@]|$)/.test(image);

const dataOf = (manifest: Manifest | undefined): Readonly<Record<string, string>> => (manifest?.['data'] ?? {}) as Record<string, string>;

function configMap(manifests: readonly Manifest[], name: string): Manifest | undefined {
  return ofKind(manifests, 'ConfigMap').find(({ metadata }) => metadata.name === name);
}

/** Variables that are known before the pod runs; those out of Secrets and of the pod's own fields are not. */
function environmentOf(manifests: readonly Manifest[], { env = [], envFrom = [] }: Container): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const { prefix = '', configMapRef } of envFrom) {
    const data = configMapRef === undefined ? {} : dataOf(configMap(manifests, configMapRef.name));
    for (const [key, value] of Object.entries(data)) environment[prefix + key] = value;
  }
  for (const { name, value, valueFrom } of env) {
    const reference = valueFrom?.configMapKeyRef;
    const text = reference === undefined ? value : dataOf(configMap(manifests, reference.name))[reference.key];
    if (text !== undefined) environment[name] = expand(text, environment);
  }
  return environment;
}

/** As Kubernetes does it: `$(NAME)` of variables that are known. */
const expand = (text: string, environment: Readonly<Record<string, string>>): string =>
  text.replace(/\$\((\w+)\)/g, (whole, name: string) => environment[name] ?? whole);

function fileReader(manifests: readonly Manifest[], spec: PodSpec, { volumeMounts = [] }: Container): (path: string) => string {
  return (path) => {
    const mount = volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
    const source = spec.volumes?.find(({ name }) => name === mount?.name)?.configMap;
    if (mount === undefined || source === undefined) throw new Error('no ConfigMap is mounted there');
    const wanted = posix.relative(mount.mountPath, path);
    const key = source.items?.find((item) => item.path === wanted)?.key ?? wanted;
    const text = dataOf(configMap(manifests, source.name))[key];
    if (text === undefined) throw new Error(`the ConfigMap ${source.name} has no key ${key}`);
    return text;
  };
}

/** Throws `OptionsError`. Undefined when the container does not run the server. */
export function serverOptions(manifests: readonly Manifest[], { spec }: PodTemplate, container: Container): LoadedOptions | undefined {
  const [command, ...flags] = container.args ?? [];
  if (!isPenstock(container) || container.command !== undefined || command !== 'serve') return undefined;
  const environment = environmentOf(manifests, container);
  const args = flags.map((flag) => expand(flag, environment));
  return loadOptions(args, environment, fileReader(manifests, spec, container));
}
