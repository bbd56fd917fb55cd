/** The programs that check k8s/: named by what they are called, found in PATH or in build/kubernetes/bin, where .ci/run puts them. */
import path from 'node:path';
import { findProgram, root } from './processes.mjs';

/** How each program is got; `go install` takes the module that stands here. */
const TOOLS = {
  kustomize: 'go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.1',
  kubeconform: 'go install github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
};

const FOLDER = path.join(root, 'build', 'kubernetes', 'bin');
const isThere = (name) => (findProgram(name) ?? findProgram(path.join(FOLDER, name))) !== undefined;

/** Why the suite cannot run, or undefined. */
export function kubernetesTestsMissing() {
  const missing = Object.entries(TOOLS).filter(([name]) => !isThere(name));
  return missing.length === 0 ? undefined : missing.map(([name, how]) => `${name} (${how})`).join(', ');
}
