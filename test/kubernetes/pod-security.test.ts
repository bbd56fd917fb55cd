import { beforeAll, describe, expect, it } from 'vitest';
import { build, find, type Manifest } from './kustomize.js';
import { podSecurityViolations } from './pod-security.js';

describe('Pod Security', () => {
  let deployment: string;

  beforeAll(async () => {
    deployment = JSON.stringify(find(await build('base'), 'Deployment'));
  });

  it.each([
    ['a container that may gain rights', '"allowPrivilegeEscalation":false', '"allowPrivilegeEscalation":true', /allowPrivilegeEscalation/],
    ['capabilities that are kept', '"capabilities":{"drop":["ALL"]}', '"capabilities":{}', /capabilities/],
    ['a user who may be root', '"runAsNonRoot":true', '"runAsNonRoot":false', /runAsNonRoot/],
    ['no seccomp profile', '"seccompProfile":{"type":"RuntimeDefault"}', '"fsGroup":65532', /seccomp/],
    ['a folder of the node', '"emptyDir":{}', '"hostPath":{"path":"/models"}', /hostPath/],
  ])('denies %s', (_fault, from, to, violation) => {
    expect(deployment).toContain(from);
    expect(podSecurityViolations([JSON.parse(deployment.replace(from, to)) as Manifest]).join('\n')).toMatch(violation);
  });

  it('is as lenient as the namespace among the manifests says', () => {
    const onNode = JSON.parse(deployment.replace('"emptyDir":{}', '"hostPath":{"path":"/models"}')) as Manifest;
    const namespace = (level: string): Manifest => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'edge', labels: { 'pod-security.kubernetes.io/enforce': level } },
    });
    expect(podSecurityViolations([namespace('privileged'), onNode])).toEqual([]);
    expect(podSecurityViolations([namespace('baseline'), onNode])).not.toEqual([]);
  });
});
