/** The components of k8s/, as each describes itself in the annotations of its kustomization.yaml. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ServerError } from '../errors.js';
import { k8sFaults } from './k8s-folder.js';

export interface Component {
  /** Of its folder, relative to k8s/components. */
  readonly name: string;
  readonly summary: string;
  /** What the cluster must have. */
  readonly needs: string;
  /** Components that this one is tested with; it comes before them. Where one entry names several, the first brings the others. */
  readonly with: readonly (readonly string[])[];
  /** Components that this one cannot be used with. */
  readonly conflicts: readonly string[];
  /** It changes what the others add, and comes after all of them. */
  readonly isLast: boolean;
}

const FILE = 'kustomization.yaml';

/** By name. `k8s`: path of the folder that holds base/ and components/. Throws ERR_CONFIG_OPTION when it does not. */
export function readCatalog(k8s: string): Component[] {
  const [fault] = k8sFaults(k8s);
  if (fault !== undefined) throw new ServerError('ERR_CONFIG_OPTION', fault);
  const folder = join(k8s, 'components');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(`/${FILE}`))
    .map((path) => path.slice(0, -FILE.length - 1))
    .flatMap((name) => componentOf(name, parse(readFileSync(join(folder, name, FILE), 'utf8'))))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Nothing for a kustomization that is no component: what a cluster's administrator applies once, say. */
function componentOf(name: string, content: unknown): Component[] {
  const { kind, metadata } = content as { kind?: string; metadata?: { annotations?: Record<string, string> } };
  if (kind !== 'Component') return [];
  const text = (key: string): string => metadata?.annotations?.[`penstock/${key}`] ?? '';
  const names = (key: string): string[] => text(key).split(/\s+/).filter(Boolean);
  return [
    {
      name,
      summary: text('summary'),
      needs: text('needs'),
      with: names('with').map((entry) => entry.split('+')),
      conflicts: names('conflicts'),
      isLast: text('order') === 'last',
    },
  ];
}
