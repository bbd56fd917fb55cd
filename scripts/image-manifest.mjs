/**
 * What `k8s/base`, as Kustomize builds it, makes of a container, in Podman's words. Throws on a setting that it does not know, so that
 * none is passed over. Podman cannot express, and so these are not tried: probes (image-test.mjs asks the same addresses itself), preStop,
 * service links, the account's token, fsGroup on what is mounted (the group is added to the process, as the kubelet does).
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findTool } from './kubernetes-tools.mjs';
import { root } from './processes.mjs';

async function baseManifests() {
  // Loaded here: `npm test` reads this file before it installs packages.
  const { parseAllDocuments } = await import('yaml');
  const built = spawnSync(findTool('kustomize'), ['build', path.join(root, 'k8s', 'base')], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`kustomize build k8s/base: ${built.stderr}`);
  return parseAllDocuments(built.stdout).map((document) => document.toJS());
}

/** Both security contexts as flags; `uid` and `gid` stand for a user that the cluster chose instead (OpenShift does). */
function securityFlags(pod, container, uid, gid) {
  const { runAsNonRoot, runAsUser, runAsGroup, fsGroup, fsGroupChangePolicy, seccompProfile, ...unknown } = { ...pod, ...container };
  const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities, ...others } = unknown;
  assert.deepEqual(others, {}, 'settings of the security context that are not tried');
  assert.ok(runAsNonRoot && runAsUser > 0 && runAsGroup > 0, 'the base runs as root');
  assert.deepEqual(seccompProfile, { type: 'RuntimeDefault' }, "Podman's default is its system call filter");
  assert.ok([undefined, 'OnRootMismatch', 'Always'].includes(fsGroupChangePolicy));
  assert.deepEqual(Object.keys(capabilities), ['drop'], 'capabilities are added');
  return [
    ...['--user', `${uid}:${gid}`],
    ...(fsGroup === undefined ? [] : ['--group-add', String(fsGroup)]),
    ...(readOnlyRootFilesystem ? ['--read-only', '--read-only-tmpfs=false'] : []),
    ...capabilities.drop.flatMap((name) => ['--cap-drop', name.toLowerCase()]),
    ...(allowPrivilegeEscalation === false ? ['--security-opt', 'no-new-privileges'] : []),
  ];
}

/** Kubernetes' quantities of memory that the base uses, in bytes. */
function bytes(quantity) {
  const [, number, unit] = /^(\d+)(Ki|Mi|Gi)$/.exec(quantity) ?? [];
  assert.ok(number, `${quantity} is no quantity that is known here`);
  return Number(number) * 1024 ** (['Ki', 'Mi', 'Gi'].indexOf(unit) + 1);
}

/** A flag that mounts one volume; files of a ConfigMap are written below `folder`. `models` has what a component would bring. */
function mountFlags(mount, volume, manifests, folder, models) {
  const { name, emptyDir, configMap, ...unknown } = volume;
  assert.deepEqual(unknown, {}, `a volume of a kind that is not tried: ${name}`);
  const mode = mount.readOnly ? 'ro' : 'rw';
  if (name === 'models') return ['--volume', `${models}:${mount.mountPath}:${mode}`];
  if (emptyDir?.medium === 'Memory') {
    // As the kubelet makes it: any user may write.
    return ['--mount', `type=tmpfs,destination=${mount.mountPath},tmpfs-size=${bytes(emptyDir.sizeLimit)},tmpfs-mode=1777`];
  }
  const { data } = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMap?.name) ?? {};
  assert.ok(data, `the volume ${name} has a ConfigMap that is not there`);
  const files = path.join(folder, name);
  mkdirSync(files);
  for (const [key, text] of Object.entries(data)) writeFileSync(path.join(files, key), text);
  chmodSync(files, 0o755);
  return ['--volume', `${files}:${mount.mountPath}:${mode}`];
}

/**
 * `{ uid, gid, flags, memoryBytes, limits, args }` for `podman run` of the container of `k8s/base`. `limits` stand apart: not every machine
 * lets Podman set them. `folder`: for files, which the container's user must be able to read; `models`: a model repository.
 */
export async function baseContainer({ uid, gid, folder, models }) {
  const manifests = await baseManifests();
  const { spec } = manifests.find(({ kind }) => kind === 'Deployment').spec.template;
  const [container] = spec.containers;
  const volumes = new Map(spec.volumes.map((volume) => [volume.name, volume]));
  const { cpu, memory, ...otherLimits } = container.resources.limits;
  assert.deepEqual(otherLimits, {}, 'limits that are not tried');
  return {
    uid,
    gid,
    flags: [
      ...securityFlags(spec.securityContext, container.securityContext, uid, gid),
      ...container.volumeMounts.flatMap((mount) => mountFlags(mount, volumes.get(mount.name), manifests, folder, models)),
      ...(container.env ?? []).flatMap(({ name, value }) => ['--env', `${name}=${value}`]),
      ...['--stop-timeout', String(spec.terminationGracePeriodSeconds)],
    ],
    memoryBytes: bytes(memory),
    // As much with swap as without: Kubernetes lets such a container swap nothing.
    limits: ['--memory', String(bytes(memory)), '--memory-swap', String(bytes(memory)), '--cpus', String(Number(cpu))],
    args: container.args,
  };
}
