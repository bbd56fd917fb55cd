/** Where k8s/ is, and how a kustomization names it. */
import { existsSync, realpathSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Beside dist/ in a checkout; an image has none. */
export const OWN_K8S = fileURLToPath(new URL('../../k8s', import.meta.url));

const COMPONENTS = 'components';

/** Kustomize fetches it; what it holds cannot be read here. */
export function isRemote(k8s: string): boolean {
  return k8s.includes('://') || k8s.includes('?ref=');
}

/** `k8s`: as --k8s has it, a URL or a path; empty = ours. `from`: the folder of the kustomization. */
export function k8sFrom(k8s: string, from: string): string {
  if (isRemote(k8s)) return k8s;
  // Kustomize follows links before it follows "..", and takes no absolute path; an empty one would become the beginning of such.
  return relative(realPath(from), realPath(k8s === '' ? OWN_K8S : k8s)) || '.';
}

/** Why no kustomization can be made on what --k8s says, one sentence each. */
export function k8sFaults(k8s: string): string[] {
  if (k8s === '' || isRemote(k8s) || existsSync(join(k8s, COMPONENTS))) return [];
  return [`--k8s: "${k8s}" has no folder ${COMPONENTS}; give the folder k8s of a checkout`];
}

function realPath(path: string): string {
  const whole = resolve(path);
  return existsSync(whole) ? realpathSync(whole) : whole;
}
