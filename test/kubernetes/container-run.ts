/** Runs a container of a manifest to its end, as a process of this machine in a file system of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { find, type Manifest } from './kustomize.js';
import { inOwnRoot } from './own-root.js';
import { filesOf } from './pod-parts.js';
import { toolEnvironment } from './tools.js';
import type { Container } from './workloads.js';

export interface RunOptions {
  /** What the image starts where the container has no command. */
  readonly entrypoint?: readonly string[];
  /** Volume name -> folder. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Wins over what the manifest says. */
  readonly env?: Readonly<Record<string, string>>;
  /** For the ConfigMaps of envFrom. */
  readonly manifests?: readonly Manifest[];
}

export interface ContainerRun {
  readonly code: number | null;
  /** Both streams. */
  readonly output: string;
}

/** Its volumes lie where the container mounts them; it has no home and no variable but its own. Killed after a minute. */
export async function runContainer(container: Container, options: RunOptions): Promise<ContainerRun> {
  const root = mkdtempSync(join(tmpdir(), 'penstock-root-'));
  const variables = { ...variablesOf(container, options.manifests ?? []), ...options.env };
  const mounts = (container.volumeMounts ?? []).flatMap(({ name, mountPath, readOnly = false }) => {
    const folder = options.volumes[name];
    if (folder === undefined) throw new Error(`the test has no folder for the volume ${name}`);
    return [folder, mountPath, readOnly ? 'ro' : 'rw'];
  });
  const command = [...(container.command ?? options.entrypoint ?? []), ...(container.args ?? []).map((arg) => expanded(arg, variables))];
  try {
    const [program, args] = inOwnRoot(root, mounts, command);
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: toolEnvironment.PATH, ...variables },
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    const closed = once(child, 'close') as Promise<[number | null]>;
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    return { code, output: stdout + stderr };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function variablesOf({ env = [], envFrom = [] }: Container, manifests: readonly Manifest[]): Record<string, string> {
  const maps = envFrom.map(({ configMapRef }) => {
    if (configMapRef === undefined) throw new Error('variables come from elsewhere');
    return filesOf(find(manifests, 'ConfigMap', configMapRef.name));
  });
  const own = env.flatMap(({ name, value, valueFrom }) => {
    if (valueFrom !== undefined && valueFrom.secretKeyRef?.optional !== true) throw new Error(`${name} comes from elsewhere`);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries([...maps.flatMap((map) => [...map].map(([name, value]) => [name, value.toString()] as const)), ...own]);
}

/** `$(NAME)`, as the kubelet reads it in commands and arguments: an unknown name stays as it stands. */
function expanded(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$\(([A-Za-z_][\w.-]*)\)/g, (whole, name: string) => variables[name] ?? whole);
}
