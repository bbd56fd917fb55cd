/** What Kustomize makes of k8s/: the manifests as the API server would get them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { repositoryRoot } from '../support/server-process.js';
import { runTool } from './tools.js';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export const k8s = join(repositoryRoot, 'k8s');

/** What a kustomization may hold here; paths are relative to k8s/. */
export interface Composition {
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly [field: string]: unknown;
}

/** `folder`: relative to k8s/, or absolute. Rejects with Kustomize's own words; a warning (a deprecated key, say) is a fault too. */
export async function build(folder: string): Promise<Manifest[]> {
  return manifests(await kustomize(resolve(k8s, folder)));
}

/** Builds a kustomization that nobody wrote down, such as the base with two components. */
export async function compose({ resources = ['base'], components = [], ...fields }: Composition): Promise<Manifest[]> {
  // Inside the tree, because paths of resources must be relative.
  const folder = await mkdtemp(join(repositoryRoot, 'build', 'kustomization-'));
  const fromHere = (path: string): string => relative(folder, join(k8s, path));
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: resources.map(fromHere),
    components: components.map((name) => fromHere(join('components', name))),
    ...fields,
  };
  try {
    await writeFile(join(folder, 'kustomization.yaml'), stringify(kustomization));
    return manifests(await kustomize(folder));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The manifest of this kind and name (the only one of its kind, if no name is given). Throws when there is none. */
export function find(all: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = all.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  const [first] = found;
  if (first === undefined || found.length > 1)
    throw new Error(`${found.length} manifests of kind ${kind}${name === undefined ? '' : ` named ${name}`}`);
  return first;
}

async function kustomize(folder: string): Promise<string> {
  const { stdout, stderr } = await runTool('kustomize', ['build', folder]);
  if (stderr !== '') throw new Error(stderr);
  return stdout;
}

function manifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}
