/** Everything of k8s/ that can be built, found in the tree: nothing has to be listed for it to be tested. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parse } from 'yaml';
import { build, compose, k8s, type Manifest } from './kustomize.js';

export interface Kustomization {
  /** Relative to k8s/. */
  readonly folder: string;
  readonly kind: string;
  readonly resources: readonly string[];
  readonly components: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  /** The keys of the file, as written. */
  readonly keys: readonly string[];
}

export interface Build {
  readonly name: string;
  readonly manifests: readonly Manifest[];
  /** Objects that the cluster has or an operator makes, such as `Secret/penstock-pull`: annotation penstock/given of what went in. */
  readonly given: ReadonlySet<string>;
}

interface Written {
  readonly kind?: string;
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
}

export const kustomizations: readonly Kustomization[] = readdirSync(k8s, { recursive: true, encoding: 'utf8' })
  .filter((file) => basename(file) === 'kustomization.yaml')
  .sort()
  .map((file) => {
    const written = parse(readFileSync(join(k8s, file), 'utf8')) as Written;
    const { kind = 'Kustomization', metadata, resources = [], components = [] } = written;
    return { folder: dirname(file), kind, resources, components, annotations: metadata?.annotations ?? {}, keys: Object.keys(written) };
  });

const byFolder = new Map(kustomizations.map((one) => [one.folder, one]));

/** What one adds to the base by one line: the folders right below k8s/components. */
export const components = kustomizations.filter(({ folder, kind }) => kind === 'Component' && dirname(folder) === 'components');

export const words = (text: string | undefined): string[] => (text ?? '').split(/\s+/).filter((word) => word !== '');

/** Folders that a kustomization takes in directly, relative to k8s/. */
export function parts({ folder, resources, components: listed }: Kustomization): string[] {
  return [...resources, ...listed].map((path) => join(folder, path)).filter((path) => byFolder.has(path));
}

function given(folders: readonly string[]): Set<string> {
  const found = new Set<string>();
  const visit = (folder: string): void => {
    const one = byFolder.get(folder);
    if (one === undefined) return;
    for (const name of words(one.annotations['penstock/given'])) found.add(name);
    parts(one).forEach(visit);
  };
  folders.forEach(visit);
  return found;
}

/**
 * Documented combinations, each in the order in which it is written: this component, then the other; `hpa+rollout-autoscaled` stands for
 * both of these, one after the other.
 */
const combinations: readonly (readonly string[])[] = components.flatMap(({ folder, annotations }) =>
  words(annotations['penstock/with']).map((others) => [basename(folder), ...others.split('+')]),
);

/** Those that change what others brought, and say so by `penstock/order: last`, stay behind them. */
function reversed(names: readonly string[]): string[] {
  const isLast = (name: string): boolean => byFolder.get(join('components', name))?.annotations['penstock/order'] === 'last';
  const others = names.filter((name) => !isLast(name)).reverse();
  return [...others, ...names.filter(isLast)];
}

interface Plan {
  readonly name: string;
  readonly folders: readonly string[];
  readonly make: () => Promise<Manifest[]>;
}

function withComponents(...names: string[]): Plan {
  const folders = names.map((name) => join('components', name));
  return { name: `base with ${names.join(', ')}`, folders, make: () => compose({ components: names }) };
}

/** Each kustomization, and each component alone on the base: whatever is in k8s/ is in one of these. */
const alone: readonly Plan[] = [
  ...kustomizations
    .filter(({ kind }) => kind === 'Kustomization')
    .map(({ folder }): Plan => ({ name: folder, folders: [folder], make: () => build(folder) })),
  ...components.map(({ folder }) => withComponents(basename(folder))),
];

const together: readonly Plan[] = [
  ...combinations.map((names) => withComponents(...names)),
  ...combinations.map((names) => withComponents(...reversed(names))),
];

/** Kustomize runs beside itself this often. */
const AT_ONCE = 4;

export interface Outcome {
  readonly builds: readonly Build[];
  /** Kustomize's words, each after the name of the build. */
  readonly failures: readonly string[];
}

export const buildAlone = (): Promise<Outcome> => make(alone);
export const buildAll = (): Promise<Outcome> => make([...alone, ...together]);

async function make(plans: readonly Plan[]): Promise<Outcome> {
  const builds: Build[] = [];
  const failures: string[] = [];
  const waiting = [...plans];
  const work = async (): Promise<void> => {
    for (let plan = waiting.shift(); plan !== undefined; plan = waiting.shift()) {
      try {
        builds.push({ name: plan.name, manifests: await plan.make(), given: given(plan.folders) });
      } catch (thrown) {
        failures.push(`${plan.name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { builds, failures };
}
