/** Would Pod Security admit the pods? Asked of its own code: test/kubernetes/pod-security. */
import { spawnSync } from 'node:child_process';
import type { Manifest } from './kustomize.js';
import { toolEnvironment } from './tools.js';
import { ofKind, podTemplates } from './workloads.js';

interface Violation {
  readonly name: string;
  readonly reason: string;
  readonly detail: string;
}

const ENFORCE = 'pod-security.kubernetes.io/enforce';

/**
 * One complaint a rule that a pod template breaks; none when all are admitted. The level is "restricted", unless a namespace of the same
 * manifests says that it enforces less.
 */
export function podSecurityViolations(manifests: readonly Manifest[]): string[] {
  const levels = ofKind(manifests, 'Namespace').flatMap(({ metadata }) => metadata.labels?.[ENFORCE] ?? []);
  const level = levels[0] ?? 'restricted';
  const templates = podTemplates(manifests).map(({ name, metadata, spec }) => ({ name, level, metadata, spec }));
  const { status, stdout, stderr, error } = spawnSync('pod-security', {
    env: toolEnvironment,
    input: JSON.stringify(templates),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`pod-security: ${error?.message ?? stderr}`);
  return (JSON.parse(stdout) as Violation[]).map(({ name, reason, detail }) => `${name}: ${reason} (${detail})`);
}
